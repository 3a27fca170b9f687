"""What goes through right now: the statistics of the last minutes, as a first page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from z4j_django.counters import ALL, COUNTERS, MINUTE, QUEUES
from z4j_django.models import Statistic
from z4j_django.queries import statistics


@dataclass
class Pulse:
    """What has happened lately, minute by minute; the minute that goes on is left out.

    Attributes:
        points: All tasks, a point for each minute, the oldest first.
        queues: The tasks of each queue in the last minutes of it.
    """

    points: list[statistics.Point]
    queues: dict[str, statistics.Counted]


def read(project: str, now: float, minutes: int = 120, lately: int = 5) -> Pulse:
    """What has happened lately, in one query.

    Args:
        project: Whose.
        now: Seconds since the epoch.
        minutes: Of the points.
        lately: Of the queues.
    """
    until = int(now // MINUTE) * MINUTE
    since, recent = until - minutes * MINUTE, until - lately * MINUTE
    rows = Statistic.objects.filter(
        Q(scope=ALL, at__gte=since, at__lt=until) | Q(scope=QUEUES, at__gte=recent, at__lt=until),
        project=project,
        step=MINUTE,
    )
    points = {
        at: statistics.Point(dict.fromkeys(COUNTERS, 0), MINUTE, at=at)
        for at in range(since, until, MINUTE)
    }
    queues: dict[str, statistics.Counted] = {}
    for scope, queue, at, *row in rows.values_list(
        "scope", "queue", "at", *COUNTERS, "runs", "waits"
    ):
        if scope == ALL:
            statistics.add(points[at], row)
            continue
        if queue not in queues:
            queues[queue] = statistics.Counted(dict.fromkeys(COUNTERS, 0), lately * MINUTE)
        for name, count in zip(COUNTERS, row, strict=False):
            queues[queue].counters[name] += count
    return Pulse(list(points.values()), queues)
