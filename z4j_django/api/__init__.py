"""The REST API, on Django REST framework; its packages are those of the extra ``api``."""

from django.core.exceptions import ImproperlyConfigured

try:
    import rest_framework  # noqa: F401  # only to see that it is there
except ModuleNotFoundError as error:
    raise ImproperlyConfigured(
        f"z4j_django.api needs the package {error.name}, which is not installed. "
        "Run: pip install djangorestframework drf-spectacular-sidecar"
    ) from error
