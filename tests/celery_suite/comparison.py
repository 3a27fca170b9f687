"""Holds the records to what the result backend says of the same tasks."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis

from z4j_django import states
from z4j_django.models import TaskEvent, TaskRecord

_PREFIX: Final = "celery-task-meta-"
#: Of a difference that has no reason.
UNKNOWN: Final = "NO KNOWN REASON"


@dataclass(frozen=True)
class Task:
    """One task of the run.

    Attributes:
        stored: What the backend has of it.
        record: Ours of it.
        kinds: Of the events on record, in order.
        has_result: Whether it was to leave a result that lasts.
    """

    task_id: str
    stored: dict[str, Any] | None
    record: TaskRecord | None
    kinds: tuple[str, ...]
    has_result: bool

    @property
    def was_run(self) -> bool:
        """Whether the backend knows of a worker that had it."""
        return bool(self.stored and self.stored.get("worker"))

    @property
    def is_never_sent(self) -> bool:
        """Whether it is on record as a step that nobody published, and no more."""
        return not self.kinds and self.record is not None and self.record.state == states.PENDING

    @property
    def is_one_of_several(self) -> bool:
        """Whether its id belongs to several messages, of which none is the retry of another."""
        attempts = self.kinds.count("task_started") - self.kinds.count("task_retry")
        return attempts > 1 or self.kinds.count("task_revoked") > 1


Reason = tuple[str, Callable[[Task], bool]]

_NOBODY: Final[Reason] = (
    "nobody ran it: the backend has what Celery, or the test, wrote in its name",
    lambda task: not task.was_run,
)
_SEVERAL: Final[Reason] = (
    "replaced, or an errback of several tasks: the record has the facts of the first message",
    lambda task: task.is_one_of_several,
)
#: Why the two may differ, by what differs; the first that holds is the reason.
REASONS: Final[dict[str, tuple[Reason, ...]]] = {
    "not on record": (_NOBODY,),
    "not in the backend": (
        ("never sent: a step whose predecessor failed", lambda task: task.is_never_sent),
        (
            "applied in place, of which Celery stores nothing",
            lambda task: not {"task_sent", "task_received"} & {*task.kinds},
        ),
        ("its result is not wanted, or forgotten", lambda task: not task.has_result),
        (
            "sent, and purged by the suite, of which Celery tells nothing",
            lambda task: task.kinds == ("task_sent",),
        ),
    ),
    "state": (
        (
            "never sent, and on record as that; Celery stores the error of its predecessor",
            lambda task: task.is_never_sent and not task.was_run,
        ),
        (
            "rejected, which Celery stores as failed",
            lambda task: task.kinds[-1:] == ("task_rejected",),
        ),
    ),
    "name": (_SEVERAL,),
    "retries": (),
    "parent": (
        _NOBODY,
        _SEVERAL,
        (
            "retried: to Celery its parent is itself",
            lambda task: "task_retry" in task.kinds and task.stored["parent_id"] == task.task_id,
        ),
    ),
    "group": (
        _NOBODY,
        _SEVERAL,
        (
            "bears the group that it follows, and has no place in it",
            lambda task: not task.record.group_id and task.record.group_index is None,
        ),
    ),
    "result": (
        (
            "no plain value: a placeholder on record",
            lambda task: str(task.record.result).startswith("<"),
        ),
    ),
    "exception": (
        (
            "can't be pickled: the record names what Celery wrapped",
            lambda task: task.stored["result"]["exc_type"] == "UnpickleableExceptionWrapper",
        ),
    ),
}


def tasks(backend: Redis, without_result: set[str]) -> list[Task]:
    """All tasks that the backend or the records know."""
    stored = {
        key.decode().removeprefix(_PREFIX): json.loads(backend.get(key))
        for key in backend.scan_iter(f"{_PREFIX}*", count=1_000)
    }
    records = {record.task_id: record for record in TaskRecord.objects.iterator()}
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for task_id, kind in TaskEvent.objects.order_by("at", "id").values_list("task_id", "kind"):
        kinds[task_id].append(kind)
    return [
        Task(
            task_id,
            stored.get(task_id),
            records.get(task_id),
            tuple(kinds[task_id]),
            task_id not in without_result,
        )
        for task_id in sorted(stored.keys() | records.keys())
    ]


def differences(task: Task) -> Iterator[tuple[str, str]]:
    """What differs, and the reason of it or ``UNKNOWN``."""
    for what in _what_differs(task):
        yield what, next((text for text, holds in REASONS[what] if holds(task)), UNKNOWN)


def _what_differs(task: Task) -> Iterator[str]:
    stored, record = task.stored, task.record
    if record is None:
        yield "not on record"
    elif stored is None:
        yield "not in the backend"
    elif stored["status"] != record.state:
        yield "state"
    else:
        yield from _values_that_differ(stored, record)
    if record is not None and stored is not None:
        ours = {"name": record.name, "retries": record.retries}
        yield from (what for what in ours if stored.get(what) not in (None, ours[what]))
        kin = {"parent": record.parent_id, "group": record.group_id}
        yield from (what for what in kin if (stored.get(f"{what}_id") or "") != kin[what])


def _values_that_differ(stored: dict[str, Any], record: TaskRecord) -> Iterator[str]:
    if record.state == states.SUCCESS and stored["result"] != record.result:
        yield "result"
    if record.state == states.FAILURE and stored["result"]["exc_type"] != record.exception_type:
        yield "exception"
