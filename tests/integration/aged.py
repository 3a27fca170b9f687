"""Records as old as a test wants them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from z4j_django import retention_policy, states
from z4j_django.models import TaskEvent, TaskRecord

WEEK = retention_policy.from_setting({"default": "7d"})


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def task(task_id: str, days: float, state: str = states.SUCCESS, **fields: Any) -> TaskRecord:
    """A task that was sent so long ago, and ended at once if its state is an end."""
    moments = {"sent_at": ago(days), "finished_at": ago(days) if state in states.FINISHED else None}
    record = TaskRecord.objects.create(task_id=task_id, state=state, **{**moments, **fields})
    for kind in ("task_sent", "task_received"):
        TaskEvent.objects.create(task_id=task_id, project=record.project, kind=kind, at=ago(days))
    return record


def left() -> set[str]:
    return set(TaskRecord.objects.values_list("task_id", flat=True))
