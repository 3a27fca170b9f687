"""The schedule that an app's own settings give its beat, as plain data for another process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from itertools import islice
from typing import Any, Final

from celery.schedules import crontab, maybe_schedule, schedule, solar

from z4j_django.agent.sampling import Sampling
from z4j_django.values import clean

#: Entries of a schedule, at most.
LIMIT: Final = 1_000
#: The fields of a crontab, in the order in which people write them.
FIELDS: Final = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


def describe(app: Any, shares: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """The entries of ``beat_schedule`` whose next moment follows from the last one.

    Args:
        app: The Celery app.
        shares: Which tasks are noise: whose records say nothing of when they were sent last.

    Returns:
        Of each its ``name`` and ``task``; and ``every``, the seconds, or ``crontab``, the numbers
        of each field, with its ``words`` and ``zone``; or ``solar``, the event, with its
        ``latitude`` and ``longitude``.
    """
    return list(islice(_entries(app, Sampling(shares)), LIMIT))


def _entries(app: Any, sampling: Sampling) -> Iterator[dict[str, Any]]:
    for name, entry in dict(app.conf.beat_schedule or {}).items():
        task = entry.get("task") or name
        if not sampling.is_whole(str(task)):
            continue
        about = {"name": clean(str(name)), "task": clean(str(task))}
        when = maybe_schedule(entry.get("schedule"), app=app)
        if isinstance(when, crontab):
            fields = {field: sorted(getattr(when, field)) for field in FIELDS}
            words = " ".join(str(getattr(when, f"_orig_{field}")) for field in FIELDS)
            yield {**about, "crontab": fields, "words": clean(words, 100), "zone": _zone(when.tz)}
        elif isinstance(when, solar):
            place = {"latitude": float(when.lat), "longitude": float(when.lon)}
            yield {**about, "solar": str(when.event), **place}
        elif type(when) is schedule:  # another one may say anything
            yield {**about, "every": when.run_every.total_seconds()}


def _zone(zone: tzinfo) -> str:
    return str(getattr(zone, "key", None) or zone)
