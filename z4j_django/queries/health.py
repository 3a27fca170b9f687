"""How capture stands: who ships, how far behind, what was lost, which workers are silent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import F, Func, Q, Subquery, Sum
from django.utils import timezone

from z4j_django.agent import events
from z4j_django.models import JournalCursor, JournalLoss, JournalRecord, WorkerRecord
from z4j_django.queries import liveness
from z4j_django.values import counted

#: A shipper reports every 10 s; a journal of which so long nothing was heard is silent.
SILENT_AFTER = timedelta(minutes=1)
#: An event that waits so long for the database means that the shipper is behind.
BEHIND_AFTER = timedelta(seconds=30)
#: A worker that is silent for longer is taken for gone.
GONE_AFTER = timedelta(days=1)
#: What counts as recent among the losses.
RECENT = timedelta(days=1)

#: Journals, workers and losses that are looked at, at most.
JOURNALS_LIMIT = 100
WORKERS_LIMIT = 1000
LOSSES_LIMIT = 10_000
#: Cursors that are asked for in one query.
_AT_ONCE = 500

REASONS = (events.UNWRITTEN, events.UNREADABLE, events.UNSTORABLE, events.OVER_CAP)

JournalState = Literal["shipping", "behind", "stopped", "silent"]


@dataclass(frozen=True)
class Journal:
    """A journal by the last that its shipper said.

    Attributes:
        state: ``shipping``; ``behind``, where events wait long for the database; ``stopped``,
            where the last word was that nothing is left; ``silent``, where it was another.
        lag: How long the oldest event had been waiting then.
        silence: How long ago that was.
        limit: Bytes that it may take.
        free: Bytes that its disk had left.
    """

    host: str
    directory: str
    pid: int
    segments: int
    size: int
    pending: int
    seen_at: datetime
    lag: timedelta
    silence: timedelta
    state: JournalState
    limit: int | None = None
    free: int | None = None

    @property
    def place(self) -> str:
        """Where it is, in one word."""
        return f"{self.host}:{self.directory}"


@dataclass(frozen=True)
class Loss:
    """Events lost for one reason; ``ever`` among the newest ``LOSSES_LIMIT`` losses."""

    reason: str
    recent: int
    ever: int


@dataclass(frozen=True)
class Workers:
    """How many of the workers are there; ``gone`` never said goodbye."""

    online: int = 0
    silent: int = 0
    gone: int = 0
    offline: int = 0


@dataclass(frozen=True)
class Health:
    """Everything at one moment."""

    at: datetime
    journals: tuple[Journal, ...]
    losses: tuple[Loss, ...]
    workers: Workers = Workers()


def capture(now: datetime | None = None) -> Health:
    """How capture stands at ``now``, by what is on record; without the workers."""
    now = now or timezone.now()
    return Health(at=now, journals=journals(now), losses=losses(now))


def health(now: datetime | None = None) -> Health:
    """How capture and the workers stand at ``now``, by what is on record."""
    found = capture(now)
    return replace(found, workers=count_workers(found.at))


def journals(now: datetime) -> tuple[Journal, ...]:
    """The journals, those heard of last first."""
    rows = JournalRecord.objects.order_by("-seen_at", "-id")[:JOURNALS_LIMIT]
    return tuple(journal(row, now) for row in rows)


@dataclass(frozen=True)
class Recording:
    """How capture stands, in short: the journals, and how many events were lost lately."""

    journals: tuple[Journal, ...]
    lost: int


def recording(now: datetime) -> Recording:
    """How capture stands, in one query; without a journal nobody knows of losses."""
    recent = JournalLoss.objects.filter(at__gt=now - RECENT).order_by()
    # As an aggregate it would group the losses.
    lost = recent.annotate(total=Func(F("count"), function="SUM")).values("total")
    found = JournalRecord.objects.annotate(lost=Subquery(lost[:1]))
    rows = list(found.order_by("-seen_at", "-id")[:JOURNALS_LIMIT])
    return Recording(
        tuple(journal(row, now) for row in rows), int(rows[0].lost or 0) if rows else 0
    )


def journal(row: JournalRecord, now: datetime) -> Journal:
    """A journal's record, as it is to be read at ``now``."""
    zero = timedelta()
    silence = max(now - row.seen_at, zero)
    lag = max(row.seen_at - row.oldest, zero) if row.oldest is not None else zero
    return Journal(
        host=row.host,
        directory=row.directory,
        pid=row.pid,
        segments=row.segments,
        size=row.size,
        pending=row.pending,
        seen_at=row.seen_at,
        lag=lag,
        silence=silence,
        state=_state(row.pending, lag, silence),
        limit=row.limit,
        free=row.free,
    )


def losses(now: datetime) -> tuple[Loss, ...]:
    """What was lost, by reason; reasons without losses are left out."""
    newest = JournalLoss.objects.order_by("-at")[:LOSSES_LIMIT]
    sums = {
        f"{period}_{number}": Sum("count", filter=Q(reason=reason) & when)
        for number, reason in enumerate(REASONS)
        for period, when in (("ever", Q()), ("recent", Q(at__gt=now - RECENT)))
    }
    found = newest.aggregate(**sums)
    every = (
        Loss(reason, found[f"recent_{number}"] or 0, found[f"ever_{number}"] or 0)
        for number, reason in enumerate(REASONS)
    )
    return tuple(loss for loss in every if loss.ever)


def count_workers(now: datetime) -> Workers:
    """The workers by their presence: ``WORKERS_LIMIT`` of them, those online first."""
    workers = WorkerRecord.objects.filter(liveness.RUNS_TASKS).order_by("-online", "-id")
    rows = workers.values_list("online", "last_seen")
    silent_since, gone_since = now - liveness.SILENT_AFTER, now - GONE_AFTER
    online = silent = gone = offline = 0
    for is_online, seen in rows[:WORKERS_LIMIT]:
        if not is_online:
            offline += 1
        elif seen is None or seen < gone_since:
            gone += 1
        elif seen < silent_since:
            silent += 1
        else:
            online += 1
    return Workers(online, silent, gone, offline)


def positions(segments: list[str]) -> dict[str, int]:
    """The byte up to which each segment is stored; those never stored are left out."""
    found: dict[str, int] = {}
    for first in range(0, len(segments), _AT_ONCE):
        rows = JournalCursor.objects.filter(segment__in=segments[first : first + _AT_ONCE])
        found.update(rows.values_list("segment", "offset"))
    return found


def span(value: timedelta) -> str:
    """A length of time in words, in its greatest unit: ``3 minutes``."""
    seconds = int(value.total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return counted(seconds // size, unit, f"{unit}s")
    return counted(seconds, "second", "seconds")


def _state(pending: int, lag: timedelta, silence: timedelta) -> JournalState:
    if silence > SILENT_AFTER:
        return "silent" if pending else "stopped"
    return "behind" if lag > BEHIND_AFTER else "shipping"
