"""Whether a worker is there, by what it said last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from django.db.models import Q

from z4j_django.agent import events
from z4j_django.models import WorkerRecord

#: A worker that says nothing for so long, and never said goodbye, counts as silent.
SILENT_AFTER: Final = timedelta(minutes=2)
#: One that is silent for so long counts as gone.
GONE_AFTER: Final = timedelta(minutes=10)
#: Workers of which nothing was heard for so long are on no list, unless it asks for them.
LISTED_FOR: Final = timedelta(days=1)

#: The condition that it is a worker: a beat is heard of as one is, and runs no tasks.
RUNS_TASKS: Final = ~Q(pool=events.BEAT)

Presence = Literal["online", "silent", "offline"]


def presence(worker: WorkerRecord, now: datetime) -> Presence:
    """Whether ``worker`` is there at ``now``."""
    if not worker.online:
        return "offline"
    if worker.last_seen is None or now - worker.last_seen > SILENT_AFTER:
        return "silent"
    return "online"


def last_word(worker: WorkerRecord) -> datetime | None:
    """When ``worker`` was last heard of, or ``None`` where nothing tells."""
    said = (worker.last_seen, worker.stopped_at, worker.started_at)
    return max((moment for moment in said if moment is not None), default=None)


def silent(now: datetime) -> Q:
    """The condition that a worker's presence is ``silent``."""
    return Q(online=True) & (Q(last_seen=None) | Q(last_seen__lt=now - SILENT_AFTER))


def left_long_ago(now: datetime) -> Q:
    """The condition that nothing was heard of a worker for as long as lists show it."""
    since = now - LISTED_FOR
    return Q(last_seen__lt=since) | Q(last_seen=None, online=False, stopped_at__lt=since)
