"""The periodic tasks of django-celery-beat, where that is installed."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.urls import path
from rest_framework.request import Request

from z4j_django.api import base, generic, pagination, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import SCHEDULE, Flag, Text
from z4j_django.api.serializers.pages import page_of
from z4j_django.api.serializers.schedules import ScheduleSerializer
from z4j_django.queries import schedules

_ABOUT: Final = "Where `django_celery_beat` is not installed, the answer is a 404 that says so."


class _BeatView(base.View):
    """The permission is that app's own."""

    reads = f"{schedules.APP}.periodictask"

    def check_permissions(self, request: Request) -> None:
        """Without the app there is no such permission, and to miss it would mislead."""
        if request.user and request.user.is_authenticated and not schedules.is_installed():
            raise problems.NotFound("There are no schedules: django_celery_beat is not installed.")
        super().check_permissions(request)


class SchedulesView(_BeatView, generic.List):
    """``schedules/``."""

    endpoints: ClassVar = {
        "get": Endpoint(
            "schedules_list",
            "List periodic tasks",
            f"The periodic tasks of django-celery-beat, newest first. {_ABOUT}",
            parameters=(
                Text("name", "Only the one of this name."),
                Flag("enabled", "Only those that beat publishes, or only the others."),
                *pagination.PAGE,
            ),
            answer=page_of(ScheduleSerializer, "periodic tasks"),
            problems=(404,),
        )
    }

    def wanted(self) -> generic.Wanted:
        """Those of the parameters."""
        given = {name: self.asked[name] for name in ("name", "enabled")}
        wanted = {name: value for name, value in given.items() if value not in ("", None)}
        return schedules.every().filter(**wanted), ()

    def page(self) -> Any:
        """With what its rows say of their schedules."""
        found = super().page()
        schedules.fill(found.rows)
        return found


class ScheduleView(_BeatView, generic.Detail):
    """``schedules/{id}/``."""

    missing = "There is no periodic task of this number."
    endpoints: ClassVar = {
        "get": Endpoint(
            "schedules_retrieve",
            "One periodic task",
            f"A periodic task of django-celery-beat. {_ABOUT}",
            parameters=(SCHEDULE,),
            answer=ScheduleSerializer,
            problems=(404,),
        )
    }

    def find(self) -> Any:
        """The periodic task."""
        return schedules.find(self.asked["id"])


urlpatterns = [
    path("schedules/", SchedulesView.as_view(), name="schedules"),
    path("schedules/<z4jnumber:id>/", ScheduleView.as_view(), name="schedule"),
]
