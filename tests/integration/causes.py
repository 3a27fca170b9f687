"""Failures on record, by their causes and in releases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from z4j_django.agent import events
from z4j_django.agent.batching import Slice
from z4j_django.models import ErrorGroup, TaskRecord
from z4j_django.store.writer import DatabaseSink

#: All of it happened after this.
START = 1_790_000_000.0
_names = itertools.count()


def failed(task_id: str, at: float, said: str = "no order 1", **fields: Any) -> events.TaskEvent:
    """A failure, so many seconds after the start."""
    failure = events.Failure("ValueError", said, fields.pop("traceback", ""))
    name = fields.pop("name", "shop.pay")
    return events.TaskEvent(
        events.TASK_FAILED, task_id, START + at, name=name, failure=failure, **fields
    )


def store(
    found: Sequence[events.Event],
    release: str = "",
    *,
    project: str = "shop",
    sink: DatabaseSink | None = None,
) -> Slice:
    """Store what one process tells."""
    header = events.Header(schema=1, project=project, host="h", pid=7, release=release)
    data = b"".join(map(events.encode, found))
    part = Slice(f"causes-{next(_names)}", header, 0, len(data), data)
    (sink or DatabaseSink()).apply([part])
    return part


def group(said: str = "no order") -> ErrorGroup:
    """The group whose newest failure says so."""
    return ErrorGroup.objects.get(message__startswith=said)


def ids_in(found: ErrorGroup) -> list[str]:
    """The ids of its tasks."""
    tasks = TaskRecord.objects.filter(error=found.fingerprint)
    return sorted(tasks.values_list("task_id", flat=True))
