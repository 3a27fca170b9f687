"""The periodic tasks of django-celery-beat, where that is installed."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, lists, openapi, pagination, problems
from z4j_django.api.serializers import schedules as serializers
from z4j_django.queries import schedules

_NAME: Final = openapi.parameter(
    "name", "Only the one of this name.", example="nightly-report", minLength=1, maxLength=255
)
_ENABLED: Final = openapi.parameter(
    "enabled", "Only those that beat publishes, or only the others.", enum=("true", "false")
)
_SCHEDULE: Final[dict[str, Any]] = {
    "id": 1,
    "url": "https://example.com/z4j/api/schedules/1/",
    "name": "nightly-report",
    "task": "shop.tasks.report",
    "enabled": True,
    "kind": "crontab",
    "schedule": "0 3 * * * (m/h/dM/MY/d) UTC",
    "args": [],
    "kwargs": {"days": 1},
    "queue": None,
    "exchange": None,
    "routing_key": None,
    "priority": None,
    "one_off": False,
    "start_time": None,
    "expires": None,
    "expire_seconds": None,
    "last_run_at": "2026-11-01T03:00:00.000000Z",
    "total_run_count": 31,
    "date_changed": "2026-11-01T03:02:11.000000Z",
    "description": "",
    "tasks_url": "https://example.com/z4j/api/tasks/?schedule=nightly-report",
}
_ABOUT: Final = "Where `django_celery_beat` is not installed, the answer is a 404 that says so."


class _BeatView(base.View):
    """The permission is that app's own."""

    reads = f"{schedules.APP}.periodictask"

    def check_permissions(self, request: Request) -> None:
        """Without the app there is no such permission, and to miss it would mislead."""
        if request.user and request.user.is_authenticated and not schedules.is_installed():
            raise problems.NotFound("There are no schedules: django_celery_beat is not installed.")
        super().check_permissions(request)


class SchedulesView(_BeatView):
    """``schedules/``."""

    @openapi.operation(
        "schedules_list",
        tag="schedules",
        summary="List periodic tasks",
        description=f"The periodic tasks of django-celery-beat, newest first. {_ABOUT}",
        parameters=[_NAME, _ENABLED, *pagination.DESCRIBED],
        responses={200: serializers.SchedulePage},
        problems=(404,),
        examples=[openapi.example("One", {"next": None, "previous": None, "results": [_SCHEDULE]})],
    )
    def get(self, request: Request) -> Response:
        """A page."""
        base.known_parameters(request, ("name", "enabled", *pagination.PARAMETERS))
        wanted = schedules.every()
        if name := lists.text_of(request, "name"):
            wanted = wanted.filter(name=name)
        if enabled := lists.choice_of(request, "enabled", ("true", "false")):
            wanted = wanted.filter(enabled=enabled == "true")
        page = pagination.id_page(request, wanted)
        schedules.fill(page.rows)
        rows = [serializers.schedule(request, one) for one in page.rows]
        return Response(pagination.body(request, page, rows))


class ScheduleView(_BeatView):
    """``schedules/{id}/``."""

    @openapi.operation(
        "schedules_retrieve",
        tag="schedules",
        summary="One periodic task",
        description=f"A periodic task of django-celery-beat. {_ABOUT}",
        parameters=[openapi.SCHEDULE],
        responses={200: serializers.ScheduleSerializer},
        problems=(404,),
        examples=[openapi.example("At three each night", _SCHEDULE)],
    )
    def get(self, request: Request, id: int) -> Response:
        """The periodic task."""
        base.known_parameters(request, ())
        found = schedules.find(id)
        if found is None:
            raise problems.NotFound("There is no periodic task of this number.")
        return Response(serializers.schedule(request, found))


urlpatterns = [
    path("schedules/", SchedulesView.as_view(), name="schedules"),
    path("schedules/<z4jnumber:id>/", ScheduleView.as_view(), name="schedule"),
]
