"""Queues: those that tasks were sent to, and those that a worker takes tasks from."""

from __future__ import annotations

from typing import Final

from z4j_django.models import TaskRecord, WorkerRecord
from z4j_django.queries import lookups, tasks

#: Queues that a page lists, at most.
LIMIT: Final = tasks.CHOICES_LIMIT
#: Workers whose queues are looked at, the newest first.
_WORKERS_LIMIT: Final = 500


def names(limit: int) -> list[str]:
    """The first queues that are on record, in order."""
    used = lookups.distinct_values(TaskRecord, "queue", limit)
    return sorted(_consumed().union(used))[:limit]


def is_known(name: str) -> bool:
    """Whether a task was sent to a queue of this name, or a worker takes tasks from it."""
    return TaskRecord.objects.filter(queue=name).exists() or name in _consumed()


def _consumed() -> set[str]:
    """The queues of the workers that did not say goodbye."""
    online = WorkerRecord.objects.filter(online=True).order_by("-id")
    told = online.values_list("queues", flat=True)[:_WORKERS_LIMIT]
    lists = (queues for queues in told if isinstance(queues, list))
    return {name for queues in lists for name in queues if isinstance(name, str) and name}
