"""The API and the metrics, and nothing else."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("z4j/api/", include("z4j_django.api.urls")),
    path("metrics", include("z4j_django.metrics.urls")),
]
