"""Tasks and their timelines."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import quote

from rest_framework import serializers
from rest_framework.request import Request

from z4j_django import states
from z4j_django.api import base, fields
from z4j_django.conf import settings
from z4j_django.models import TaskRecord
from z4j_django.queries import events, operations, tasks

_Text = serializers.CharField
_Whole = serializers.IntegerField


class TaskSerializer(serializers.Serializer[Any]):
    """A task of a list: all that is known of it, merged from its events."""

    #: A request names the fields that it wants.
    is_sparse = True

    url = serializers.URLField(help_text="Its address.")
    row = _Whole(help_text="The number of its row; later tasks have greater ones.")
    project = _Text(help_text="The project that it belongs to.")
    task_id = _Text(help_text="Its id, as Celery has it.")
    name = _Text(allow_blank=True, help_text="Its name; empty where only its id is known.")
    state = serializers.ChoiceField(choices=states.ALL, help_text="Celery's name of its state.")
    queue = _Text(allow_blank=True, help_text="The queue that it was sent to.")
    exchange = _Text(allow_blank=True, help_text="The exchange that it was sent to.")
    routing_key = _Text(allow_blank=True, help_text="Its routing key.")
    priority = _Whole(allow_null=True, help_text="Its priority, where it has one.")
    worker = _Text(allow_blank=True, help_text="The worker that took it last.")
    pid = _Whole(allow_null=True, help_text="The process that ran it last.")
    args = serializers.JSONField(
        allow_null=True, help_text="Its arguments: a copy for the eye, with secrets masked."
    )
    kwargs = serializers.JSONField(
        allow_null=True, help_text="Its keyword arguments, masked likewise."
    )
    result = serializers.JSONField(allow_null=True, help_text="What it returned, masked likewise.")
    exception_type = _Text(
        allow_blank=True, help_text="The type of its exception, with its modules."
    )
    exception_message = _Text(allow_blank=True, help_text="What the exception said, masked.")
    traceback = _Text(allow_blank=True, help_text="Where it was raised, masked.")
    retries = _Whole(help_text="How often it was retried by itself.")
    deliveries = _Whole(help_text="How often a worker took it.")
    eta = fields.Moment(allow_null=True, help_text="Not to be run before.")
    expires = fields.Moment(allow_null=True, help_text="Not to be run after.")
    sent_at = fields.Moment(allow_null=True, help_text="When it was published first.")
    received_at = fields.Moment(allow_null=True, help_text="When a worker took it last.")
    started_at = fields.Moment(allow_null=True, help_text="When its newest attempt began.")
    finished_at = fields.Moment(allow_null=True, help_text="When its newest attempt ended.")
    runtime = serializers.FloatField(
        allow_null=True, help_text="How long its newest attempt ran, in seconds."
    )
    root_id = _Text(allow_blank=True, help_text="The first task of its workflow.")
    parent_id = _Text(allow_blank=True, help_text="The task that published it.")
    group_id = _Text(allow_blank=True, help_text="The group or chord that it is a member of.")
    group_index = _Whole(allow_null=True, help_text="Its place in that group, from 0.")
    chord_id = _Text(allow_blank=True, help_text="The body of the chord that it feeds.")
    schedule = _Text(allow_blank=True, help_text="The periodic task that published it.")
    origin = _Text(allow_blank=True, help_text="The process that published it: `pid@host`.")
    retry_of = _Text(allow_blank=True, help_text="The task that an operator retried as this one.")
    operation = _Whole(allow_null=True, help_text="The number of the operation that published it.")


class TaskDetailSerializer(TaskSerializer):
    """One task."""

    retried_as = serializers.ListField(
        child=serializers.CharField(),
        help_text="The tasks as which operators retried it, the newest first; "
        f"{operations.RETRIES_LIMIT} at most.",
    )


class TaskListSerializer(serializers.Serializer[Any]):
    """A page of tasks."""

    next = serializers.URLField(allow_null=True, help_text="The page that follows.")
    previous = serializers.URLField(allow_null=True, help_text="The page before.")
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


class EventSerializer(serializers.Serializer[Any]):
    """One event of a task's life."""

    row = _Whole(help_text="The number of its row: the order in which events were stored.")
    kind = _Text(help_text="What happened: `task_sent`, `task_started`, `task_failed` and so on.")
    at = fields.Moment(help_text="When, by the clock of the process that saw it.")
    since_previous = serializers.FloatField(
        allow_null=True, help_text="Seconds since the event before; null for the first."
    )
    retries = _Whole(help_text="How often it had been retried by itself.")
    worker = _Text(allow_blank=True, help_text="The worker that it happened in.")
    pid = _Whole(allow_null=True, help_text="The process that it happened in.")
    detail = _Text(
        allow_blank=True,
        help_text="What the kind does not say: the exception's line, the reason of a revoke.",
    )


class EventListSerializer(serializers.Serializer[Any]):
    """The timeline of a task."""

    results = EventSerializer(many=True, help_text="Its events, in the order of their times.")
    more = serializers.BooleanField(
        help_text=f"Whether there are others beside the first {events.TIMELINE_LIMIT}."
    )
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="Why there may be none: that none are kept."
    )


#: The fields of a list: the large ones are to be asked for.
LISTED: Final = tuple(
    name for name in TaskSerializer._declared_fields if name not in tasks.HEAVY_FIELDS
)
DETAILED: Final = tuple(TaskDetailSerializer._declared_fields)

#: What an address is made of, and what a list is ordered by.
_ALWAYS: Final = ("project", "task_id", "sent_at")
_MOMENTS: Final = {
    name for name, one in TaskSerializer._declared_fields.items() if isinstance(one, fields.Moment)
}


def columns(names: Iterable[str]) -> list[str]:
    """What has to be read of a task to show these fields of it."""
    own = [name for name in names if name not in ("url", "row", "retried_as")]
    return [*dict.fromkeys((*_ALWAYS, *own))]


class Rows:
    """Shows tasks as the serializers say, without an object for each of their fields.

    Args:
        request: Whose host, and whose mount of this API.
        names: Fields of :class:`TaskSerializer`.
    """

    def __init__(self, request: Request, names: Iterable[str]) -> None:
        self._root = base.uri(request, "tasks")
        self._shown: list[tuple[str, Callable[[TaskRecord], Any]]] = [
            (name, self._way_to(name)) for name in names if name != "retried_as"
        ]

    def row(self, record: TaskRecord) -> dict[str, Any]:
        """One task."""
        return {name: show(record) for name, show in self._shown}

    def all(self, records: Iterable[TaskRecord]) -> list[dict[str, Any]]:
        """Many."""
        return [self.row(record) for record in records]

    def _way_to(self, name: str) -> Callable[[TaskRecord], Any]:
        if name == "url":
            return self._url
        if name in _MOMENTS:
            return lambda record: fields.moment(getattr(record, name))
        return operator.attrgetter("pk" if name == "row" else name)

    def _url(self, record: TaskRecord) -> str:
        address = f"{self._root}{base.quoted(record.task_id)}/"
        if record.project == settings.PROJECT:
            return address
        return f"{address}?project={quote(record.project, safe='')}"


def event(entry: events.TimelineEntry) -> dict[str, Any]:
    """One event, as :class:`EventSerializer` says."""
    found = entry.event
    return {
        "row": found.pk,
        "kind": found.kind,
        "at": fields.moment(found.at),
        "since_previous": entry.since_previous,
        "retries": found.retries,
        "worker": found.worker,
        "pid": found.pid,
        "detail": found.detail,
    }
