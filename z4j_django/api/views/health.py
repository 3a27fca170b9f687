"""The health of capture."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import permissions
from z4j_django.api import base, openapi
from z4j_django.api.serializers import health as serializers
from z4j_django.queries import health


class HealthView(base.View):
    """``health/``."""

    reads = "journalrecord"

    def refuses(self, request: Request) -> str | None:
        """It tells of journals and of losses."""
        if (why := super().refuses(request)) is not None:
            return why
        if permissions.can_view(base.actor_of(request), "journalloss"):
            return None
        return f"The permission {permissions.view_permission('journalloss')} is missing."

    @openapi.operation(
        "health_retrieve",
        tag="workers",
        summary="How capture stands",
        description=(
            "Who ships, how far behind, what was lost, which workers are silent. The status is "
            "200 in any case; `healthy` and `troubles` tell how it stands."
        ),
        responses={200: serializers.HealthSerializer},
        examples=[
            openapi.example(
                "A worker is silent",
                {
                    "healthy": False,
                    "troubles": ["1 worker is silent: no word for 2 minutes or longer."],
                    "journals": [
                        {
                            "host": "shop",
                            "directory": "/srv/shop/journal",
                            "state": "shipping",
                            "pid": 4711,
                            "segments": 3,
                            "size": 1048576,
                            "pending": 0,
                            "seen_at": "2026-11-01T12:00:00.000000Z",
                            "lag": 0.0,
                            "silence": 4.2,
                        }
                    ],
                    "losses": [],
                    "workers": {"online": 3, "silent": 1, "gone": 0, "offline": 7},
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """By what is on record."""
        base.known_parameters(request, ())
        sees_workers = permissions.can_view(base.actor_of(request), "workerrecord")
        found = health.health() if sees_workers else health.capture()
        shown: dict[str, Any] = {**vars(found), "workers": asdict(found.workers)}
        if not sees_workers:
            shown["workers"] = None
        troubles = found.troubles()
        shown |= {"healthy": not troubles, "troubles": troubles}
        return Response(serializers.HealthSerializer(shown).data)


urlpatterns = [path("health/", HealthView.as_view(), name="health")]
