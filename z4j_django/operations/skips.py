"""Runs of schedules that beat is to leave out: the operations that ask for it wait for that.

Beat asks for them, see ``agent.skipping``; and says what it has left out, which ends them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connections, router
from django.db.models import QuerySet

from z4j_django import verbs
from z4j_django.agent.skipping import Skip
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget
from z4j_django.operations import auditing
from z4j_django.queries import timetable
from z4j_django.queries.timetable import Entry
from z4j_django.values import duration

#: How long before a run beat has to be told of it.
LEAD: Final = timedelta(seconds=15)
#: How far the moment that is foretold may be from the one at which beat sends: that of the sun
#: is a few minutes off, and beat may be late.
_NEAR: Final = timedelta(minutes=15)
#: Those that are handed to beat at once.
_LIMIT: Final = 1_000
_NOBODY: Final = "No beat left it out: none ran with this app, or it learned of it too late."


def exchange(left_out: Mapping[int, float]) -> list[Skip]:
    """What beat is to leave out; what it has is over, and so is what it can't any more.

    In a thread whose connection is closed at the end.

    Args:
        left_out: The keys of what it has, each with the moment in seconds since the epoch.
    """
    try:
        return settle(left_out)
    finally:
        connections[router.db_for_write(Operation)].close()


def settle(left_out: Mapping[int, float]) -> list[Skip]:
    """The same, over the connection of the caller."""
    mine = _mine().filter(pk__in=left_out, targets__outcome=OperationTarget.Outcome.PENDING)
    for operation in mine:  # also one that was aborted a moment too late
        at = datetime.fromtimestamp(left_out[operation.pk], UTC)
        _end(operation, auditing.done(f"Beat left it out at {at:%Y-%m-%d %H:%M:%S} UTC."))
    found, now = [], time.time()
    for operation in waiting().order_by("id")[:_LIMIT]:
        window = operation.parameters
        if now < window["end"]:
            found.append(Skip(operation.pk, window["schedule"], window["begin"], window["end"]))
        else:
            _end(operation, auditing.failed(_NOBODY))
    return found


def waiting() -> QuerySet[Operation]:
    """The operations whose runs are still to be left out."""
    return _mine().filter(state=Operation.State.WAITING)


def window(entry: Entry, last: datetime | None, now: datetime) -> dict[str, Any]:
    """The next run of a schedule, and between which moments beat comes to send it.

    Args:
        entry: Which.
        last: When beat sent it last, where that is known.
        now: The moment.

    Raises:
        OperationError: If that can't be foretold, or is too near.
    """
    due = timetable.following(entry, last, now)
    after = timetable.following(entry, due, due) if due is not None else None
    if due is None or after is None:
        raise OperationError("When it is due next can't be foretold.")
    if due - now < LEAD:
        left = duration((due - now).total_seconds())
        raise OperationError(f"It is due in {left}: beat would not learn of it in time.")
    near = min((after - due) / 2, _NEAR)
    begin, end = max(due - near, now), after - near
    return {
        "schedule": entry.name,
        "due": due.isoformat(),
        "begin": begin.timestamp(),
        "end": end.timestamp(),
    }


def _mine() -> QuerySet[Operation]:
    return Operation.objects.filter(project=settings.PROJECT, verb=verbs.SKIP_NEXT_RUN.name)


def _end(operation: Operation, outcome: auditing.Outcome) -> None:
    for target in operation.targets.all():
        auditing.settle(target, outcome)
    auditing.finish(operation)
