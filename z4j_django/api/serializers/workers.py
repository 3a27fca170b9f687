"""Workers."""

from __future__ import annotations

from typing import Any, get_args

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from z4j_django.api import base, fields
from z4j_django.api.serializers import tasks
from z4j_django.api.serializers.pages import Page, tasks_uri
from z4j_django.models import TaskRecord, WorkerRecord
from z4j_django.queries import workers


class WorkerSerializer(serializers.Serializer[Any]):
    """A worker: the newest that it said of itself."""

    url = serializers.SerializerMethodField(help_text="Its address.")
    row = serializers.IntegerField(
        source="pk", help_text="The number of its row; later workers have greater ones."
    )
    project = serializers.CharField(help_text="The project that it belongs to.")
    hostname = serializers.CharField(help_text="Its name, as `celery status` has it.")
    presence = serializers.SerializerMethodField(
        help_text="`online`; `silent`, where it said nothing for two minutes, and never goodbye; "
        "`offline`, where it said goodbye."
    )
    pid = serializers.IntegerField(allow_null=True, help_text="Its main process.")
    pool = serializers.CharField(
        allow_blank=True, help_text="What kind of pool it has, such as `prefork`."
    )
    concurrency = serializers.IntegerField(
        allow_null=True, help_text="How many processes, threads or greenlets the pool has."
    )
    queues = serializers.SerializerMethodField(help_text="The queues that it takes tasks from.")
    version = serializers.CharField(allow_blank=True, help_text="Celery's version.")
    started_at = fields.Moment(allow_null=True, help_text="When it came up.")
    last_seen = fields.Moment(allow_null=True, help_text="When it last said anything.")
    stopped_at = fields.Moment(allow_null=True, help_text="When it last said goodbye.")

    def get_url(self, worker: WorkerRecord) -> str:
        """Where it is."""
        return base.uri(self.context["request"], "worker", worker.hostname, project=worker.project)

    @extend_schema_field(serializers.ChoiceField(choices=get_args(workers.Presence)))
    def get_presence(self, worker: WorkerRecord) -> str:
        """As it is now."""
        return workers.presence(worker, timezone.now())

    def get_queues(self, worker: WorkerRecord) -> list[str]:
        """Their names; a list by its making, though JSON may hold anything."""
        queues = worker.queues
        return [str(name) for name in queues] if isinstance(queues, list) else []


class WorkerPage(Page):
    """A page of workers."""

    results = WorkerSerializer(many=True, help_text="The workers.")


class WorkerDetail(WorkerSerializer):
    """A worker with what it did lately."""

    tasks_url = serializers.URLField(help_text="Address of the list of all its tasks.")
    recent_tasks = tasks.TaskSerializer(
        many=True,
        allow_null=True,
        help_text=f"The newest tasks that it took, {workers.RECENT_TASKS_LIMIT} at most; null for "
        "whoever may not view tasks.",
    )


def worker(request: Request, record: WorkerRecord) -> dict[str, Any]:
    """A worker, as :class:`WorkerSerializer` says."""
    return dict(WorkerSerializer(record, context={"request": request}).data)


def detail(
    request: Request, record: WorkerRecord, recent: list[TaskRecord] | None
) -> dict[str, Any]:
    """A worker, as :class:`WorkerDetail` says.

    Args:
        request: Which asks.
        record: The worker.
        recent: What it did lately; ``None``, where that is not to be shown.
    """
    rows = tasks.Rows(request, tasks.LISTED)
    return {
        **worker(request, record),
        "tasks_url": tasks_uri(request, worker=record.hostname, project=record.project),
        "recent_tasks": None if recent is None else rows.all(recent),
    }
