"""The health of capture."""

from __future__ import annotations

from typing import ClassVar

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import generic
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.serializers.health import HealthSerializer
from z4j_django.queries import health


class HealthView(generic.Shown):
    """``health/``; it tells of journals and of losses."""

    reads = "journalrecord"
    also = "journalloss"
    endpoints: ClassVar = {
        "get": Endpoint(
            "health_retrieve",
            "How capture stands",
            "Who ships, how far behind, what was lost, which workers are silent. The status is "
            "200 in any case; `healthy` and `troubles` tell how it stands.",
            answer=HealthSerializer,
            tag="workers",
        )
    }

    def get(self, request: Request) -> Response:
        """By what is on record."""
        sees_workers = self.sees("workerrecord")
        found = health.health() if sees_workers else health.capture()
        troubles = found.troubles()
        shown = {**vars(found), "healthy": not troubles, "troubles": troubles}
        return self.answer(shown if sees_workers else {**shown, "workers": None})


urlpatterns = [path("health/", HealthView.as_view(), name="health")]
