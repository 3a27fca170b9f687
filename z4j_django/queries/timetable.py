"""The schedules that beat has to keep to, and when it last did.

The tables of django-celery-beat are read as they are: their models are full of Celery.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connections
from django.db.models.functions import Coalesce
from django.utils import timezone

from z4j_django import handover
from z4j_django.models import TaskRecord
from z4j_django.queries import foreign_tables
from z4j_django.queries.index_ranges import newest_of_each
from z4j_django.queries.recurrence import Crontab, Interval, Recurrence, Solar, crontab

#: Periodic tasks that are read, and rows in one query, of which MariaDB makes no join.
LIMIT: Final = 1_000
_AT_ONCE: Final = 500
#: Seconds of each of django-celery-beat's periods.
_PERIODS: Final[Mapping[str, float]] = {
    "microseconds": 1e-6,
    "seconds": 1.0,
    "minutes": 60.0,
    "hours": 3_600.0,
    "days": 86_400.0,
}
_TABLES: Final = ("periodictask", "intervalschedule", "crontabschedule", "solarschedule")
_TASK: Final = ("name", "task", "last_run_at", "date_changed", "start_time", "expires")
#: The columns of each kind of schedule that is foretold, by the column that has its key.
_WHEN: Final[Mapping[str, tuple[str, ...]]] = {
    "interval": ("every", "period"),
    "crontab": (
        "minute",
        "hour",
        "day_of_month",
        "month_of_year",
        "day_of_week",
        "timezone",
    ),
    "solar": ("event", "latitude", "longitude"),
}


@dataclass(frozen=True)
class Entry:
    """A task that beat sends again and again.

    Attributes:
        name: The entry's name.
        task: The task's.
        recurrence: When it comes.
        since: When it became what it is, where that is known: it owes nothing of before.
        last_run_at: When beat sent it last, where beat keeps that in the database.
        expires: When it ends.
        is_kept: Whether django-celery-beat keeps it, and not the app's settings.
    """

    name: str
    task: str
    recurrence: Recurrence
    since: datetime | None = None
    last_run_at: datetime | None = None
    expires: datetime | None = None
    is_kept: bool = False


def entries() -> list[Entry]:
    """All that are enabled and come again, of the app's settings and of django-celery-beat.

    What is in both, beat has taken from the settings into its tables.
    """
    given = handover.told("schedules")
    if given is None:
        from z4j_django import wiring  # which imports Celery, as this process has done

        given = wiring.schedules()
    found: dict[str, Entry] = {}
    for one in given["entries"]:
        with suppress(ValueError):  # as of the sun at a pole: that can't be foretold
            found[one["name"]] = _of_settings(one)
    if given["tables"]:
        for name, entry in _of_tables(given["tables"]):
            found.pop(name, None)
            if entry is not None:
                found[name] = entry
    return list(found.values())


def following(entry: Entry, last: datetime | None, now: datetime) -> datetime | None:
    """When an entry is due next after ``now``; ``None`` where that can't be foretold.

    Before its start beat sends nothing; then at once what came due by then, or was never sent.

    Args:
        entry: Which.
        last: When it was sent last, where that is known.
        now: The moment.
    """
    if entry.since is not None and entry.since > now:
        known = last if last is not None and last < entry.since else None
        first = entry.recurrence.after(known) if known is not None else None
        return max(first or entry.since, entry.since)
    if not isinstance(entry.recurrence, Interval):
        return entry.recurrence.after(now)
    if last is None or entry.recurrence.seconds <= 0:
        return None
    passed = max((now - last).total_seconds(), 0.0) // entry.recurrence.seconds
    return Interval(entry.recurrence.seconds * (passed + 1)).after(last)


def last_sent(project: str, names: Sequence[str]) -> dict[str, datetime]:
    """When the newest task that each of the schedules published was sent, as far as on record."""
    mine = TaskRecord.objects.filter(project=project, retry_of="").exclude(
        schedule=""  # the index has no others
    )
    ids = newest_of_each(mine, "schedule", names)
    found: dict[str, datetime] = {}
    for first in range(0, len(ids), _AT_ONCE):
        newest = TaskRecord.objects.filter(pk__in=ids[first : first + _AT_ONCE])
        sent = newest.values_list("schedule", Coalesce("sent_at", "received_at", "started_at"))
        found.update((name, at) for name, at in sent if at is not None)
    return found


def _of_settings(given: Mapping[str, Any]) -> Entry:
    if (seconds := given.get("every")) is not None:
        return Entry(given["name"], given["task"], Interval(seconds))
    if (event := given.get("solar")) is not None:
        recurrence: Recurrence = Solar(event, given["latitude"], given["longitude"])
        return Entry(given["name"], given["task"], recurrence)
    fields = {name: frozenset(numbers) for name, numbers in given["crontab"].items()}
    words = f"{given['words']} {given['zone']}"
    recurrence = Crontab(**fields, zone=_zone(given["zone"]), words=words)
    return Entry(given["name"], given["task"], recurrence)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return timezone.get_default_timezone()


def _of_tables(alias: str) -> Iterator[tuple[str, Entry | None]]:
    """Each periodic task on record; without an entry where it is off, or can't be foretold."""
    moment = partial(_moment, zone=connections[alias].timezone)
    for row in _rows(alias):
        name, task, last_run_at, changed, start, expires, *rest = row
        enabled, one_off, *when = rest
        recurrence = _recurrence(*when) if enabled and not one_off else None
        if recurrence is None:
            yield name, None
            continue
        known = [at for at in (moment(changed), moment(start)) if at is not None]
        since = max(known, default=None)
        ran, ends = moment(last_run_at), moment(expires)
        yield name, Entry(name, task, recurrence, since, ran, ends, is_kept=True)


def _recurrence(every: int | None, period: str, *when: Any) -> Recurrence | None:
    *fields, event, latitude, longitude = when
    try:
        if every is not None:
            return Interval(every * _PERIODS[period])
        if event is not None:
            return Solar(event, float(latitude), float(longitude))
        *texts, zone = fields
        return crontab(_zone(zone), *texts) if zone is not None else None
    except (KeyError, ValueError):
        return None


def _rows(alias: str) -> list[Any]:
    task, *whens = (f'"django_celery_beat_{name}"' for name in _TABLES)
    wanted = [f'{task}."{name}"' for name in (*_TASK, "enabled", "one_off")]
    joins = ""
    for when, (key, columns) in zip(whens, _WHEN.items(), strict=True):
        wanted += [f'{when}."{name}"' for name in columns]
        joins += f'LEFT JOIN {when} ON {when}."id" = {task}."{key}_id" '
    return foreign_tables.rows(
        alias,
        f'SELECT {", ".join(wanted)} FROM {task} {joins}ORDER BY {task}."id" LIMIT {LIMIT}',  # noqa: S608 - names of our own
    )


def _moment(value: Any, zone: tzinfo | None) -> datetime | None:
    """A moment as the drivers have it, who know nothing of its field."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if value is None or not settings.USE_TZ or timezone.is_aware(value):
        return value  # type: ignore[no-any-return]
    return timezone.make_aware(value, zone)
