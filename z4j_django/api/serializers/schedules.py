"""The periodic tasks of django-celery-beat."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from z4j_django.api import base, fields
from z4j_django.api.serializers.pages import Page, tasks_uri
from z4j_django.conf import settings
from z4j_django.queries import schedules


class ScheduleSerializer(serializers.Serializer[Any]):
    """A periodic task."""

    id = serializers.IntegerField(help_text="Its number.")
    url = serializers.SerializerMethodField(help_text="Its own address.")
    name = serializers.CharField(help_text="Its name, which its tasks carry as their `schedule`.")
    task = serializers.CharField(help_text="Name of the task that it publishes.")
    enabled = serializers.BooleanField(help_text="Whether beat publishes it.")
    kind = serializers.SerializerMethodField(help_text="Which kind of schedule it has.")
    schedule = serializers.SerializerMethodField(
        help_text="When it is due, in words; empty where it has none."
    )
    args = serializers.SerializerMethodField(
        help_text="Positional arguments, with what looks like a secret masked; null where they "
        "can't be read."
    )
    kwargs = serializers.SerializerMethodField(
        help_text="Keyword arguments, with what looks like a secret masked; null where they can't "
        "be read."
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
    tasks_url = serializers.SerializerMethodField(
        help_text="Address of the list of the tasks that it published."
    )

    def get_url(self, schedule: Any) -> str:
        """Its address."""
        return base.uri(self.context["request"], "schedule", schedule.pk)

    @extend_schema_field(serializers.ChoiceField(choices=schedules.KINDS, allow_null=True))
    def get_kind(self, schedule: Any) -> str | None:
        """Null where it has none."""
        return schedules.kind(schedule)

    def get_schedule(self, schedule: Any) -> str:
        """In words."""
        return schedules.words(schedule)

    @extend_schema_field({"type": "array", "items": {}, "nullable": True})
    def get_args(self, schedule: Any) -> Any:
        """To be shown."""
        return schedules.shown_args(schedule)

    @extend_schema_field({"type": "object", "additionalProperties": {}, "nullable": True})
    def get_kwargs(self, schedule: Any) -> Any:
        """To be shown."""
        return schedules.shown_kwargs(schedule)

    def get_tasks_url(self, schedule: Any) -> str:
        """The same as a filter."""
        return tasks_uri(self.context["request"], schedule=schedule.name, project=settings.PROJECT)


class SchedulePage(Page):
    """Some periodic tasks, the newest first."""

    results = ScheduleSerializer(many=True, help_text="The periodic tasks.")


def schedule(request: Request, record: Any) -> dict[str, Any]:
    """A periodic task, as :class:`ScheduleSerializer` says."""
    return dict(ScheduleSerializer(record, context={"request": request}).data)
