"""Its own API, and ours."""

from __future__ import annotations

from django.urls import include, path

from tests.process.project.host.urls import urlpatterns as own

urlpatterns = [*own, path("api/z4j/", include("z4j_django.api.urls"))]
