"""The timeline of one task."""

from __future__ import annotations

from dataclasses import dataclass

from z4j_django.models import TaskEvent, TaskRecord

#: Events shown of one task, at most.
TIMELINE_LIMIT = 500


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
    events = list(
        TaskEvent.objects.filter(project=task.project, task_id=task.task_id).order_by("at", "id")[
            : TIMELINE_LIMIT + 1
        ]
    )
    shown = events[:TIMELINE_LIMIT]
    entries = [
        TimelineEntry(event, (event.at - shown[index - 1].at).total_seconds() if index else None)
        for index, event in enumerate(shown)
    ]
    return Timeline(entries=entries, more=len(events) > TIMELINE_LIMIT)
