"""The shop's page, the admin, and the API and the metrics of the records."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("example_project.shop.urls")),
    path("admin/", admin.site.urls),
    path("z4j/api/", include("z4j_django.api.urls")),
    path("metrics", include("z4j_django.metrics.urls")),
]
