"""The API, and nothing else."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("z4j/api/", include("z4j_django.api.urls"))]
