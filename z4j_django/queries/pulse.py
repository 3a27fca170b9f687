"""What goes through right now: the statistics of the last minutes, as a first page shows them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db.models import Q

from z4j_django.counters import ALL, COUNTERS, MINUTE, QUEUES
from z4j_django.models import Statistic
from z4j_django.queries import queue_table, statistics


@dataclass
class Pulse:
    """What has happened lately, minute by minute; the minute that goes on is left out.

    Attributes:
        points: All tasks, a point for each minute, the oldest first.
        queues: What goes in and out of each queue.
    """

    points: list[statistics.Point]
    queues: dict[str, queue_table.Flow]


def read(project: str, now: float, minutes: int = 120) -> Pulse:
    """What has happened lately, in one query.

    Args:
        project: Whose.
        now: Seconds since the epoch.
        minutes: Of the points.
    """
    until = int(now // MINUTE) * MINUTE
    since, recent = until - minutes * MINUTE, until - queue_table.MINUTES * MINUTE
    rows = Statistic.objects.filter(
        Q(scope=ALL, at__gte=since, at__lt=until) | Q(scope=QUEUES, at__gte=recent, at__lt=until),
        project=project,
        step=MINUTE,
    )
    points = {
        at: statistics.Point(dict.fromkeys(COUNTERS, 0), MINUTE, at=at)
        for at in range(since, until, MINUTE)
    }
    sent: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    for scope, queue, at, *row in rows.values_list(
        "scope", "queue", "at", *COUNTERS, "runs", "waits"
    ):
        if scope == ALL:
            statistics.add(points[at], row)
        else:
            counted = dict(zip(COUNTERS, row, strict=False))
            sent[queue] += counted["sent"]
            taken[queue] += counted["started"]
    flows = {queue: queue_table.Flow.of(sent[queue], taken[queue]) for queue in sent}
    return Pulse(list(points.values()), flows)
