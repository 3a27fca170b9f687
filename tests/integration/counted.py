"""Statistics as they stand after tasks have come and gone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from z4j_django import counters, histograms
from z4j_django.histograms import Histogram
from z4j_django.models import Statistic


def counted(
    at: datetime | float,
    name: str = "shop.export",
    queue: str = "work",
    *,
    project: str = "default",
    runs: Mapping[float, int] | None = None,
    waits: Mapping[float, int] | None = None,
    **counts: int,
) -> None:
    """Add what happened at a moment to its minute, its hour and its day, in all scopes.

    Args:
        at: The moment; a number is seconds since the epoch.
        name: Of the tasks.
        queue: Of the tasks.
        project: Whose.
        runs: How many ran for so many seconds.
        waits: How many waited for so many seconds.
        **counts: By counter.
    """
    moment = at.timestamp() if isinstance(at, datetime) else at
    for step in counters.STEPS:
        for scope, place in (
            (counters.NAMES, {"name": name, "queue": queue}),
            (counters.QUEUES, {"name": "", "queue": queue}),
            (counters.ALL, {"name": "", "queue": ""}),
        ):
            begin = int(moment // step) * step
            row, _ = Statistic.objects.get_or_create(
                project=project, step=step, scope=scope, at=begin, **place
            )
            for counter, number in counts.items():
                setattr(row, counter, getattr(row, counter) + number)
            row.runs, row.waits = _added(row.runs, runs), _added(row.waits, waits)
            row.save()


def _added(column: bytes, lengths: Mapping[float, int] | None) -> bytes:
    found: Histogram = histograms.unpacked(bytes(column))
    for seconds, number in (lengths or {}).items():
        histograms.add(found, {histograms.bucket_of(seconds): number})
    return histograms.packed(found)
