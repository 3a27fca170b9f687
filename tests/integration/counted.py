"""Statistics as they stand after tasks have come and gone."""

from __future__ import annotations

from datetime import datetime

from z4j_django import counters, histograms
from z4j_django.models import Statistic


def counted(
    at: datetime,
    name: str = "shop.export",
    queue: str = "work",
    runs: dict[float, int] | None = None,
    **counts: int,
) -> None:
    """Add what happened at a moment to its minute, its hour and its day, in all scopes.

    Args:
        at: The moment.
        name: Of the tasks.
        queue: Of the tasks.
        runs: How many ran for so many seconds.
        **counts: By counter.
    """
    found = {histograms.bucket_of(seconds): number for seconds, number in (runs or {}).items()}
    for step in counters.STEPS:
        for scope, place in (
            (counters.NAMES, {"name": name, "queue": queue}),
            (counters.QUEUES, {"name": "", "queue": queue}),
            (counters.ALL, {"name": "", "queue": ""}),
        ):
            begin = int(at.timestamp()) // step * step
            row, _ = Statistic.objects.get_or_create(
                project="default", step=step, scope=scope, at=begin, **place
            )
            for counter, number in counts.items():
                setattr(row, counter, getattr(row, counter) + number)
            both = histograms.unpacked(bytes(row.runs))
            histograms.add(both, found)
            row.runs = histograms.packed(both)
            row.save()
