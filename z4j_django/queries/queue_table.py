"""How the queues stand: what was sampled and what was counted, without a look at the broker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import Sum

from z4j_django import counters
from z4j_django.models import QueueSample, Statistic
from z4j_django.queries import queues

#: Queues of one table, at most: as many as are sampled.
LIMIT: Final = 500
#: Full minutes over which it is counted what goes in and out.
MINUTES: Final = 5


@dataclass
class Queue:
    """How a queue stands.

    Attributes:
        name: Its name.
        sample: What was sampled last; nothing where that is not fresh.
        sent: Messages that are sent to it in a minute; ``taken``, that workers begin with.
        line: How many messages waited, in the last hour; nothing where it was not told.
    """

    name: str
    sample: QueueSample | queues.Sample | None = None
    sent: float = 0.0
    taken: float = 0.0
    line: list[int | None] = field(default_factory=list)

    @property
    def depth(self) -> int | None:
        """How many messages wait in it."""
        return self.sample.depth if self.sample is not None else None

    def oldest(self, now: datetime) -> float | None:
        """Seconds for which the oldest message has waited, as far as the records tell."""
        if self.sample is None or self.sample.oldest_at is None:
            return None
        return max(0.0, (now - self.sample.oldest_at).total_seconds())


def table(project: str, now: datetime, consumed: Iterable[str] = ()) -> list[Queue]:
    """All queues, those in which the most waits first, then by their names.

    Args:
        project: Whose.
        now: The moment of which it is told.
        consumed: Names of those that workers take from, whether or not anything is known of them.
    """
    found: dict[str, Queue] = {}
    for name, lately in queues.lately(project, now).items():
        found[name] = Queue(name, lately.newest, line=lately.depths)
    for name, sent, taken in _counts(project, now):
        found.setdefault(name, Queue(name))
        found[name].sent, found[name].taken = sent, taken
    if not found:  # nothing is sampled yet
        found = {name: Queue(name) for name in queues.names(queues.LIMIT)}
    for name in consumed:
        found.setdefault(name, Queue(name))
    found.pop("", None)
    return sorted(found.values(), key=lambda one: _place(one, now))[:LIMIT]


def one(project: str, name: str, now: datetime) -> Queue:
    """One queue, without a line."""
    found = Queue(name)
    recent = QueueSample.objects.filter(project=project, queue=name, at__gt=now - queues.NOW)
    found.sample = recent.order_by("at").last()
    for _, found.sent, found.taken in _counts(project, now, name):
        pass
    return found


def _place(queue: Queue, now: datetime) -> tuple[float, float, str]:
    return -(queue.depth or 0), -(queue.oldest(now) or 0.0), queue.name


def _counts(project: str, now: datetime, name: str = "") -> Iterable[tuple[str, float, float]]:
    """What each queue was sent in a minute, and what was begun of it."""
    until = int(now.timestamp()) // counters.MINUTE * counters.MINUTE
    rows = Statistic.objects.filter(
        project=project,
        step=counters.MINUTE,
        scope=counters.QUEUES,
        at__gte=until - MINUTES * counters.MINUTE,
        at__lt=until,
    )
    if name:
        rows = rows.filter(name="", queue=name)
    sums = rows.order_by().values_list("queue").annotate(sent=Sum("sent"), taken=Sum("started"))
    for queue, sent, taken in sums:
        yield queue, int(sent or 0) / MINUTES, int(taken or 0) / MINUTES


def consumers(workers: Sequence[Any]) -> Mapping[str, list[Any]]:
    """Which of some workers take tasks from each queue."""
    found: dict[str, list[Any]] = defaultdict(list)
    for worker in workers:
        told = worker.queues if isinstance(worker.queues, list) else []
        for name in dict.fromkeys(name for name in told if isinstance(name, str)):
            found[name].append(worker)
    return found
