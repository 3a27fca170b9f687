"""How the queues stand: what was sampled and what was counted, without a look at the broker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from django.db.models import Sum

from z4j_django import counters
from z4j_django.models import QueueSample, Statistic, WorkerRecord
from z4j_django.queries import queues

#: Queues of one table, at most: as many as are sampled.
LIMIT: Final = 500
#: Full minutes over which it is counted what goes in and out.
MINUTES: Final = 5


class Flow(NamedTuple):
    """What a queue is sent in a minute, and what workers begin of it."""

    sent: float = 0.0
    taken: float = 0.0

    @classmethod
    def of(cls, sent: int, taken: int) -> Flow:
        """That of what was counted in the last :data:`MINUTES`."""
        return cls(sent / MINUTES, taken / MINUTES)


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
    """All queues, those in which the most waits first, then those in which it has for longest.

    Args:
        project: Whose.
        now: The moment of which it is told.
        consumed: Names of those that workers take from, whether or not anything is known of them.
    """
    lately, flows = queues.lately(project, now), _flows(project, now)
    if not lately and not flows:  # nothing is sampled yet
        consumed = {*consumed, *queues.names(queues.LIMIT)}
    return together(lately, flows, consumed, now)[:LIMIT]


def together(
    lately: Mapping[str, queues.Lately],
    flows: Mapping[str, Flow],
    consumed: Iterable[str],
    now: datetime,
) -> list[Queue]:
    """The same of what was read already: what was sampled, and what goes in and out."""
    found = {name: Queue(name, one.newest, line=one.depths) for name, one in lately.items()}
    for name, (sent, taken) in flows.items():
        found.setdefault(name, Queue(name))
        found[name].sent, found[name].taken = sent, taken
    for name in consumed:
        found.setdefault(name, Queue(name))
    found.pop("", None)
    return sorted(found.values(), key=lambda one: _place(one, now))


def one(project: str, name: str, now: datetime) -> Queue:
    """One queue, without a line."""
    found = Queue(name)
    recent = QueueSample.objects.filter(project=project, queue=name, at__gt=now - queues.NOW)
    found.sample = recent.order_by("at").last()
    found.sent, found.taken = _flows(project, now, name).get(name, Flow())
    return found


def _place(queue: Queue, now: datetime) -> tuple[float, float, float, str]:
    return -(queue.depth or 0), -(queue.oldest(now) or 0.0), -queue.sent, queue.name


def _flows(project: str, now: datetime, name: str = "") -> dict[str, Flow]:
    """What goes in and out of each queue."""
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
    return {queue: Flow.of(int(sent or 0), int(taken or 0)) for queue, sent, taken in sums}


def consumers(workers: Iterable[WorkerRecord]) -> Mapping[str, list[WorkerRecord]]:
    """Which of some workers take tasks from each queue."""
    found: dict[str, list[WorkerRecord]] = defaultdict(list)
    for worker in workers:
        for name in dict.fromkeys(queues_of(worker)):
            found[name].append(worker)
    return found


def queues_of(worker: WorkerRecord) -> list[str]:
    """The queues that a worker takes tasks from, as it said itself."""
    told = worker.queues if isinstance(worker.queues, list) else []
    return [name for name in told if isinstance(name, str) and name]
