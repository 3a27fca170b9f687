"""The admin, the API and the metrics, and nothing else."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("z4j/api/", include("z4j_django.api.urls")),
    path("metrics", include("z4j_django.metrics.urls")),
]
