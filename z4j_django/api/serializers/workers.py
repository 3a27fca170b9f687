"""Workers."""

from __future__ import annotations

from typing import Any, get_args

from django.utils import timezone
from rest_framework import serializers

from z4j_django.api import fields
from z4j_django.api.serializers.tasks import TaskSerializer
from z4j_django.models import WorkerRecord
from z4j_django.queries import workers


class _Presence(serializers.ChoiceField):
    """As it is now."""

    def to_representation(self, value: Any) -> str:
        return workers.presence(value, timezone.now())


class _Queues(serializers.ListField):
    """Their names; a list by its making, though JSON may hold anything."""

    child = serializers.CharField()

    def to_representation(self, value: Any) -> list[str]:
        return [str(name) for name in value] if isinstance(value, list) else []


class WorkerSerializer(fields.Record):
    """A worker: the newest that it said of itself."""

    url = fields.Address("worker", "hostname", project=True, help_text="Its address.")
    row = fields.Row("workers")
    presence = _Presence(
        get_args(workers.Presence),
        source="*",
        read_only=True,
        help_text="`online`; `silent`, where it said nothing for two minutes, and never goodbye; "
        "`offline`, where it said goodbye.",
    )
    queues = _Queues(help_text=WorkerRecord._meta.get_field("queues").help_text)

    class Meta:  # noqa: D106
        model = WorkerRecord
        fields: tuple[str, ...] = (
            *("url", "row", "project", "hostname", "presence", "pid", "pool", "concurrency"),
            *("queues", "version", "started_at", "last_seen", "stopped_at"),
        )


class WorkerDetail(WorkerSerializer):
    """A worker with what it did lately."""

    tasks_url = fields.TasksAddress(
        worker="hostname", project="project", help_text="Address of the list of all its tasks."
    )
    recent_tasks = TaskSerializer(
        many=True,
        allow_null=True,
        help_text=f"The newest tasks that it took, {workers.RECENT_TASKS_LIMIT} at most; null for "
        "whoever may not view tasks.",
    )

    class Meta(WorkerSerializer.Meta):  # noqa: D106
        fields = (*WorkerSerializer.Meta.fields, "tasks_url", "recent_tasks")
