"""The periodic tasks of django-celery-beat, where that is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request

from z4j_django.api import base, fields, generic, pagination, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import SCHEDULE, Flag, Text
from z4j_django.conf import settings
from z4j_django.queries import schedules


class _Said(serializers.Field[Any, Any, Any, Any]):
    """What a function says of a periodic task.

    Args:
        say: The function.
        schema: What the value is, for the schema.
        help_text: As every field takes it.
    """

    def __init__(self, say: Callable[[Any], Any], schema: dict[str, Any], help_text: str) -> None:
        super().__init__(source="*", read_only=True, help_text=help_text)
        self.say = say
        self.json_schema = schema

    def to_representation(self, value: Any) -> Any:
        return self.say(value)


class ScheduleSerializer(serializers.Serializer[Any]):
    """A periodic task."""

    id = serializers.IntegerField(help_text="Its number.")
    url = fields.Address("schedule", "pk", help_text="Its own address.")
    name = serializers.CharField(help_text="Its name, which its tasks carry as their `schedule`.")
    task = serializers.CharField(help_text="Name of the task that it publishes.")
    enabled = serializers.BooleanField(help_text="Whether beat publishes it.")
    kind = _Said(
        schedules.kind,
        {"type": "string", "enum": [*schedules.KINDS, None], "nullable": True},
        "Which kind of schedule it has.",
    )
    schedule = _Said(
        schedules.words, {"type": "string"}, "When it is due, in words; empty where it has none."
    )
    args = _Said(
        schedules.shown_args,
        {"type": "array", "items": {}, "nullable": True},
        "Positional arguments, with what looks like a secret masked; null where they can't be "
        "read.",
    )
    kwargs = _Said(
        schedules.shown_kwargs,
        {"type": "object", "additionalProperties": {}, "nullable": True},
        "Keyword arguments, with what looks like a secret masked; null where they can't be read.",
    )
    queue = serializers.CharField(
        allow_null=True, help_text="The queue it is sent to; null for the task's own."
    )
    exchange = serializers.CharField(allow_null=True, help_text="Null for the default exchange.")
    routing_key = serializers.CharField(allow_null=True, help_text="Null for the queue's.")
    priority = serializers.IntegerField(allow_null=True, help_text="Of its messages, 0 to 255.")
    one_off = serializers.BooleanField(help_text="Whether it is published only once.")
    start_time = fields.Moment(allow_null=True, help_text="Before this it is not published.")
    expires = fields.Moment(allow_null=True, help_text="After this it is not published.")
    expire_seconds = serializers.IntegerField(
        allow_null=True, help_text="Seconds after which its messages expire."
    )
    last_run_at = fields.Moment(allow_null=True, help_text="When beat last published it.")
    total_run_count = serializers.IntegerField(help_text="How often beat has published it.")
    date_changed = fields.Moment(help_text="When somebody last changed it.")
    description = serializers.CharField(allow_blank=True, help_text="What somebody wrote about it.")
    tasks_url = fields.TasksAddress(
        schedule="name",
        project=lambda _: settings.PROJECT,
        help_text="Address of the list of the tasks that it published.",
    )


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
            answer=pagination.page_of(ScheduleSerializer, "periodic tasks"),
            problems=(404,),
        )
    }

    def wanted(self) -> generic.Wanted:
        """Those of the parameters."""
        given = {name: self.asked[name] for name in ("name", "enabled")}
        wanted = {name: value for name, value in given.items() if value not in ("", None)}
        return schedules.every().filter(**wanted), generic.EVERYTHING

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
