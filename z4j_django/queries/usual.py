"""What is usual of tasks, by their own past: the statistics of a few names at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import F, QuerySet, Sum

from z4j_django import counters, histograms
from z4j_django.models import Statistic

#: Names that are asked for at once: of more, MariaDB may read the whole table.
NAMES: Final = 100
#: Days that are the past.
DAYS: Final = 7
#: Runs that came to an end.
ENDED: Final = F("succeeded") + F("failed") + F("ignored") + F("sampled")


@dataclass(frozen=True)
class Ended:
    """Runs that ended, and those of them that failed."""

    count: int = 0
    failed: int = 0


def runtimes(project: str, names: Sequence[str], now: datetime) -> dict[str, histograms.Histogram]:
    """How long tasks of each name ran in the days before ``now``."""
    since = now - timedelta(days=DAYS)
    days = of(project, counters.DAY, counters.NAMES, since).filter(name__in=names[:NAMES])
    found: dict[str, histograms.Histogram] = defaultdict(dict)
    for name, column in days.values_list("name", "runs"):
        histograms.add(found[name], histograms.unpacked(bytes(column)))
    return found


def ended(statistics: QuerySet[Statistic]) -> dict[str, Ended]:
    """The runs of each name in some statistics."""
    told = statistics.order_by().values_list("name").annotate(ran=Sum(ENDED), wrong=Sum("failed"))
    return {name: Ended(int(count or 0), int(failed or 0)) for name, count, failed in told}


def of(project: str, step: int, scope: str, since: datetime) -> QuerySet[Statistic]:
    """The statistics of a scope from the one on in which a moment lies."""
    first = int(since.timestamp()) // step * step
    return Statistic.objects.filter(project=project, step=step, scope=scope, at__gte=first)


def same_hours(
    project: str, names: Sequence[str], since: datetime, now: datetime
) -> QuerySet[Statistic]:
    """The statistics of the same hours of the days before, and of the hour before and after."""
    first, last = (int(at.timestamp()) // counters.HOUR for at in (since, now))
    hours = [
        (hour - day * 24) * counters.HOUR
        for day in range(1, DAYS + 1)
        for hour in range(first - 1, last + 2)
    ]
    of_names: dict[str, Any] = {"scope": counters.NAMES, "name__in": names[:NAMES]}
    return Statistic.objects.filter(
        project=project, step=counters.HOUR, at__in=_before(hours, first), **of_names
    )


def _before(hours: Iterable[int], hour: int) -> list[int]:
    return sorted({at for at in hours if at < hour * counters.HOUR})
