"""How far a task says it is, and how long it will take at this pace. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from z4j_django import states
from z4j_django.models import TaskRecord


@dataclass(frozen=True)
class Progress:
    """What a task said last.

    Attributes:
        current: How much is done, where it said so.
        total: Of how much, more than none, where it said so.
        text: What it did.
        left: Seconds that it needs yet, if it goes on as it went; of a task that runs.
    """

    current: float | None
    total: float | None
    text: str
    left: float | None


def of(task: TaskRecord, now: datetime) -> Progress | None:
    """What ``task`` said last; ``None`` where its newest attempt said nothing."""
    said = task.progress
    if not isinstance(said, dict) or task.progress_at is None:
        return None
    current, total = _number(said.get("current")), _number(said.get("total"))
    if total is not None and total <= 0:
        total = None
    left = _left(task, current / total, now) if current is not None and total else None
    return Progress(current, total, str(said.get("text") or ""), left)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _left(task: TaskRecord, part: float, now: datetime) -> float | None:
    began, said = task.started_at, task.progress_at
    if task.state != states.STARTED or began is None or said is None or not 0 < part <= 1:
        return None
    took, since = (said - began).total_seconds(), (now - said).total_seconds()
    return max(took * (1 - part) / part - max(since, 0), 0) if took > 0 else None
