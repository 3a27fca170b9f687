"""The timeline of one task."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from z4j_django.agent import events
from z4j_django.models import TaskEvent, TaskRecord

#: Events shown of one task, at most.
TIMELINE_LIMIT = 500

#: Tasks whose attempts are looked up at once: of 200, MySQL may read the whole table.
TASKS_LIMIT: Final = 190


@dataclass(frozen=True)
class TimelineEntry:
    """An event, and the seconds since the one before it."""

    event: TaskEvent
    since_previous: float | None


@dataclass(frozen=True)
class Timeline:
    """The first events of a task; ``more`` says that there are others."""

    entries: list[TimelineEntry]
    more: bool


def timeline(task: TaskRecord) -> Timeline:
    """What happened to ``task``, in the order in which it happened."""
    found = list(
        TaskEvent.objects.filter(project=task.project, task_id=task.task_id).order_by("at", "id")[
            : TIMELINE_LIMIT + 1
        ]
    )
    shown = found[:TIMELINE_LIMIT]
    entries = [
        TimelineEntry(event, (event.at - shown[index - 1].at).total_seconds() if index else None)
        for index, event in enumerate(shown)
    ]
    return Timeline(entries=entries, more=len(found) > TIMELINE_LIMIT)


def starts(project: str, task_ids: Collection[str]) -> dict[str, list[datetime]]:
    """When each attempt of some tasks began, the first ones; of at most :data:`TASKS_LIMIT`."""
    asked = sorted(task_ids)[:TASKS_LIMIT]
    if not asked:
        return {}
    mine = TaskEvent.objects.filter(task_id__in=asked)  # by the index, which has no project
    rows = mine.filter(project=project, kind=events.TASK_STARTED).values_list("task_id", "at")
    found: dict[str, list[datetime]] = {}
    for task_id, at in sorted(rows[:TIMELINE_LIMIT], key=lambda row: row[1]):
        found.setdefault(task_id, []).append(at)
    return found
