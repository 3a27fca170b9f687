"""Queues: those that tasks were sent to, and those that a worker takes tasks from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from django.db.models import Case, F, Q, When, Window
from django.db.models.functions import ExtractMinute, RowNumber
from django.db.models.lookups import In

from z4j_django.models import QueueSample, TaskRecord, WorkerRecord
from z4j_django.queries import lookups, tasks

#: Queues that a page lists, at most.
LIMIT: Final = tasks.CHOICES_LIMIT
#: Workers whose queues are looked at, the newest first.
_WORKERS_LIMIT: Final = 500


def names(limit: int) -> list[str]:
    """The first queues that are on record, in order."""
    used = lookups.distinct_values(TaskRecord, "queue", limit)
    return sorted(consumed().union(used))[:limit]


def recent(project: str, since: datetime, limit: int) -> list[str]:
    """Those of the first queues on record to which a task of ``project`` was sent lately."""
    found = []
    for name in lookups.distinct_values(TaskRecord, "queue", limit):
        newest = TaskRecord.objects.filter(queue=name).order_by("-id")
        row = newest.values_list("project", "sent_at").first()
        if row is not None and row[0] == project and row[1] is not None and row[1] >= since:
            found.append(name)
    return found


def samples(project: str, name: str, since: datetime, limit: int) -> list[QueueSample]:
    """The samples of a queue since a moment, the newest last; of many, every so many-th."""
    mine = QueueSample.objects.filter(project=project, queue=name, at__gte=since)
    found = list(mine.order_by("-at")[: limit + 1])
    if len(found) > limit:
        # They are counted off along the index alone; those that are left out stay where they are.
        every = -(-mine.count() // limit)
        place = Window(RowNumber(), order_by=F("at").desc())
        moments = mine.annotate(place=place).annotate(off=F("place") % every).filter(off=1)
        found = list(mine.filter(at__in=moments.values("at")).order_by("-at"))
    return found[::-1]


#: Minutes of an hour whose samples make a line, and for how long one tells how a queue is now.
_LINE: Final = range(0, 60, 10)
NOW: Final = timedelta(minutes=3)


class Sample(NamedTuple):
    """What a page shows of a sample; a record of each would cost half of its time."""

    at: datetime
    depth: int | None = None
    consumers: int | None = None
    oldest_at: datetime | None = None
    unknown: str = ""


@dataclass
class Lately:
    """A queue in the last hour.

    Attributes:
        newest: The newest sample, where it is new enough to tell how it is now.
        depths: How many waited, every ten minutes, the oldest first; none where nobody knew.
    """

    newest: Sample | None = None
    depths: list[int | None] = field(default_factory=list)


def lately(project: str, now: datetime) -> dict[str, Lately]:
    """Each queue that was sampled in the last hour, in one query: some of its samples tell all."""
    is_new = Q(at__gt=now - NOW)
    mine = QueueSample.objects.filter(
        is_new | in_minutes(_LINE), project=project, at__gt=now - timedelta(hours=1)
    )
    # Of those for the line no moment is shown, and moments take the longest to be read.
    moments = [Case(When(is_new, then=F(name))) for name in ("at", "oldest_at")]
    columns = ("queue", moments[0], "depth", "consumers", moments[1], "unknown")
    found: dict[str, Lately] = {}
    for queue, *values in mine.order_by("at").values_list(*columns):
        sample, of_queue = Sample(*values), found.setdefault(queue, Lately())
        if sample.at is not None:
            of_queue.newest = sample
        if sample.at is None or sample.at.minute in _LINE:
            of_queue.depths.append(sample.depth)
    for of_queue in found.values():
        if of_queue.newest is not None:
            of_queue.depths.append(of_queue.newest.depth)
    return found


def newest(project: str, now: datetime) -> dict[str, Sample]:
    """The newest sample of each queue, where it is new enough to tell how it is now."""
    mine = QueueSample.objects.filter(project=project, at__gt=now - NOW).order_by("at")
    return {queue: Sample(*values) for queue, *values in mine.values_list("queue", *Sample._fields)}


def in_minutes(minutes: Iterable[int]) -> Q:
    """The condition that a sample is of one of some minutes of an hour, as ``at`` tells them.

    In a zone of its own a project may have others; and MySQL has none where it knows no zones.
    """
    return Q(In(ExtractMinute("at", tzinfo=UTC), list(minutes)))


def is_known(name: str) -> bool:
    """Whether a task was sent to a queue of this name, or a worker takes tasks from it."""
    return TaskRecord.objects.filter(queue=name).exists() or name in consumed()


def consumed(project: str | None = None) -> set[str]:
    """The queues of the workers that did not say goodbye, of one project or of all."""
    online = WorkerRecord.objects.filter(online=True).order_by("-id")
    if project is not None:
        online = online.filter(project=project)
    told = online.values_list("queues", flat=True)[:_WORKERS_LIMIT]
    lists = (queues for queues in told if isinstance(queues, list))
    return {name for queues in lists for name in queues if isinstance(name, str) and name}
