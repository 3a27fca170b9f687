"""Tasks and their timelines."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from django.db.models import DateTimeField
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request

from z4j_django.api import base, fields
from z4j_django.api.pagination import Page
from z4j_django.conf import settings
from z4j_django.models import TaskEvent, TaskRecord
from z4j_django.queries import events, releases, status, task_logs, tasks
from z4j_django.values import error_id


class _Tasks(serializers.ListSerializer[Any]):
    """Tasks within something else."""

    def to_representation(self, data: Iterable[TaskRecord]) -> list[Any]:
        """With one query for what is said of all of them, and one for their releases."""
        rows = list(data)
        status.tell(rows)
        releases.tell(rows)
        shown: list[Any] = super().to_representation(rows)
        return shown


class TaskSerializer(fields.Record):
    """A task of a list: all that is known of it, merged from its events."""

    #: A request names the fields that it wants.
    is_sparse = True

    url = fields.Address("task", "task_id", project=True, help_text="Its address.")
    row = fields.Row("tasks")
    status = serializers.CharField(
        read_only=True,
        help_text="What its state does not say, in words, such as `due in 4m 10s` or `expired`; "
        "empty where there is nothing. The terms `is:` of the filter find them.",
    )

    error = fields.ErrorId(
        allow_null=True, help_text="Id of the error that its failure is of; null where it is none."
    )
    release = serializers.CharField(
        source="release_name",
        read_only=True,
        help_text="The release of the process whose word its state is; empty where that knew none.",
    )

    class Meta:  # noqa: D106
        model = TaskRecord
        list_serializer_class = _Tasks
        fields: tuple[str, ...] = (
            *("url", "row", "project", "task_id", "name", "state", "status", "queue"),
            *("exchange", "routing_key", "priority", "worker", "pid", "args", "kwargs", "result"),
            *("exception_type", "exception_message", "traceback", "retries", "deliveries"),
            *("eta", "expires", "sent_at", "received_at", "started_at", "finished_at", "runtime"),
            *("time_limit", "progress", "progress_at"),
            *("root_id", "parent_id", "group_id", "group_index", "chord_id", "schedule"),
            *("origin", "retry_of", "operation", "trace_id", "parent_span_id", "error", "release"),
        )

    def to_representation(self, instance: TaskRecord) -> dict[str, Any]:
        """Without the large fields, in the quick way."""
        return self._rows.row(instance)

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self.context["request"], LISTED)


class TaskDetailSerializer(TaskSerializer):
    """One task."""

    retried_as = serializers.ListField(
        child=serializers.CharField(),
        help_text="The tasks as which operators retried it, the newest first; "
        f"{tasks.RETRIES_LIMIT} at most.",
    )

    class Meta(TaskSerializer.Meta):  # noqa: D106
        fields = (*TaskSerializer.Meta.fields, "retried_as")


class TaskListSerializer(Page):
    """A page of tasks."""

    results = TaskSerializer(many=True, help_text="The tasks.")
    notes = serializers.ListField(
        child=serializers.CharField(),
        help_text="What there is to know of how they were found: terms without an index, and how "
        "many tasks were looked through where that ended the page.",
    )
    since = serializers.CharField(
        required=False,
        help_text="For `?since=`, which tells what has changed from now on. Without a cursor, and "
        "where the timeline is kept.",
    )
    more = serializers.BooleanField(
        required=False,
        help_text="With `?since=`: whether more has changed, to be had at once with the new token.",
    )


class EventSerializer(fields.Record):
    """One event of a task's life."""

    row = serializers.IntegerField(
        source="pk", help_text="The number of its row: the order in which events were stored."
    )
    since_previous = serializers.FloatField(
        allow_null=True, help_text="Seconds since the event before; null for the first."
    )

    class Meta:  # noqa: D106
        model = TaskEvent
        fields = ("row", "kind", "at", "since_previous", "retries", "worker", "pid", "detail")

    def to_representation(self, instance: events.TimelineEntry) -> dict[str, Any]:
        """An entry of a timeline."""
        shown = super().to_representation(instance.event)
        return {**shown, "since_previous": instance.since_previous}


class EventListSerializer(serializers.Serializer[Any]):
    """The timeline of a task."""

    results = EventSerializer(
        source="entries", many=True, help_text="Its events, in the order of their times."
    )
    more = serializers.BooleanField(
        help_text=f"Whether there are others beside the first {events.TIMELINE_LIMIT}."
    )
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="Why there may be none: that none are kept."
    )


class LineSerializer(serializers.Serializer[Any]):
    """A line of a log."""

    at = fields.Moment(help_text="When it was written.")
    level = serializers.CharField(help_text="Its level, such as `WARNING`.")
    logger = serializers.CharField(help_text="The logger that it was written to.")
    text = serializers.CharField(help_text="What it says, masked, with the traceback that it had.")
    retries = serializers.IntegerField(
        help_text="How often the task had been retried by itself when it wrote it."
    )


class LogSerializer(serializers.Serializer[Any]):
    """What a task wrote to its log."""

    results = LineSerializer(
        source="lines",
        many=True,
        help_text=f"Its newest lines, {task_logs.LINES_LIMIT} and 64 KiB at most.",
    )
    left_out = serializers.IntegerField(help_text="How many lines are known to come before these.")
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="Why there may be none: that none are kept."
    )


class FrameSerializer(serializers.Serializer[Any]):
    """A function that was called."""

    path = serializers.CharField(help_text="The file of its code.")
    line = serializers.IntegerField(help_text="The number of the line at which it is.")
    function = serializers.CharField(help_text="Its name.")
    source = serializers.CharField(
        help_text="The line itself, masked; empty where it is not known."
    )


class StackSerializer(serializers.Serializer[Any]):
    """What a running task does."""

    frames = FrameSerializer(many=True, help_text="The calls, the innermost last, 100 at most.")
    sentence = serializers.CharField(help_text="Why there are none; empty where there are.")


#: The fields of one task; and of a list: the large ones are to be asked for.
DETAILED: Final = TaskDetailSerializer.Meta.fields
LISTED: Final = tuple(name for name in TaskSerializer.Meta.fields if name not in tasks.HEAVY_FIELDS)

#: What no column holds.
#: What else a field is made of.
_SOURCES: Final = {"runtime": ("runtime", "state", "started_at", "finished_at")}
_MADE: Final = ("url", "row", "status", "retried_as")
#: What an address is made of, and what a list is ordered by.
_ALWAYS: Final = ("project", "task_id", "sent_at")
_MOMENTS: Final = {one.name for one in TaskRecord._meta.fields if isinstance(one, DateTimeField)}


def columns(names: Iterable[str]) -> list[str]:
    """What has to be read of a task to show these fields of it."""
    read = (one for name in names if name not in _MADE for one in _SOURCES.get(name, (name,)))
    return [*dict.fromkeys((*_ALWAYS, *read))]


class Rows:
    """Shows tasks as the serializers say, without an object for each of their fields.

    Args:
        request: Whose host, and whose mount of this API.
        names: Fields of :class:`TaskSerializer`.
    """

    def __init__(self, request: Request, names: Sequence[str]) -> None:
        self._root = base.uri(request, "tasks")
        self._tells_status = "status" in names
        self._tells_release = "release" in names
        self._shown: list[tuple[str, Callable[[TaskRecord], Any]]] = [
            (name, self._way_to(name)) for name in names if name != "retried_as"
        ]

    def row(self, record: TaskRecord) -> dict[str, Any]:
        """One task."""
        return self.all([record])[0]

    def all(self, records: Sequence[TaskRecord]) -> list[dict[str, Any]]:
        """A page of them."""
        if self._tells_status:
            status.tell(records)
        if self._tells_release:
            releases.tell(records)
        return [{name: show(record) for name, show in self._shown} for record in records]

    def _way_to(self, name: str) -> Callable[[TaskRecord], Any]:
        if name == "url":
            return self._url
        if name == "runtime":
            return lambda record: tasks.runtime(record, timezone.now())
        if name == "error":
            return lambda record: record.error and error_id(record.error)
        if name == "release":
            return operator.attrgetter("release_name")
        if name in _MOMENTS:
            return lambda record: fields.moment(getattr(record, name))
        return operator.attrgetter("pk" if name == "row" else name)

    def _url(self, record: TaskRecord) -> str:
        address = f"{self._root}{base.quoted(record.task_id)}/"
        if record.project == settings.PROJECT:
            return address
        return f"{address}?project={quote(record.project, safe='')}"
