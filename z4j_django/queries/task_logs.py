"""What one task wrote to its log."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

from z4j_django.models import TaskLog, TaskRecord

#: Lines and bytes that are shown of a task: those of its newest attempt, and of those before it
#: what there is room for.
LINES_LIMIT: Final = 200
BYTES_LIMIT: Final = 64 * 1024
#: Attempts that are looked at, the newest ones.
_ATTEMPTS: Final = 20
_RETRIES: Final = 2**31 - 1


@dataclass(frozen=True)
class Line:
    """What was written at a moment, and in which attempt; ``retries`` is 0 for the first."""

    at: datetime.datetime
    level: str
    logger: str
    text: str
    retries: int


@dataclass(frozen=True)
class Log:
    """The newest lines of a task; ``left_out`` is how many there were before, as far as known."""

    lines: list[Line]
    left_out: int


def log(task: TaskRecord) -> Log:
    """What ``task`` wrote, in the order in which it did."""
    rows = TaskLog.objects.filter(project=task.project, task_id=task.task_id)
    found: list[Line] = []
    left_out, room = 0, BYTES_LIMIT
    for row in rows.order_by("-attempt")[:_ATTEMPTS]:
        left_out += row.dropped
        for line in reversed(_lines(row)):
            room -= len(line.text.encode())
            if len(found) >= LINES_LIMIT or room < 0:
                left_out += 1
                room = -1
            else:
                found.append(line)
    return Log(found[::-1], left_out)


def _lines(row: Any) -> list[Line]:
    retries = row.attempt & _RETRIES
    return [
        Line(_moment(at), level, logger, text, retries) for at, level, logger, text in row.lines
    ]


def _moment(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC if settings.USE_TZ else None)
