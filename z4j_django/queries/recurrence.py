"""When something that comes again and again comes next. Pure, and without Celery.

Of Celery's kinds of schedules these are the two whose next moment follows from the last one.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, TypeAlias

#: Days that are looked through for the next moment: 29 February may be eight years off.
_DAYS: Final = 366 * 8 + 2
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS: Final = tuple(name.lower() for name in calendar.month_abbr[1:])


@dataclass(frozen=True)
class Interval:
    """Every so many seconds."""

    seconds: float

    def after(self, moment: datetime) -> datetime | None:
        """When it comes next after it came at ``moment``."""
        return moment + timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        return f"every {self.seconds:,.10g} s"


@dataclass(frozen=True)
class Crontab:
    """At the minutes of which all five fields say so, in a time zone."""

    minute: frozenset[int]
    hour: frozenset[int]
    day_of_month: frozenset[int]
    month_of_year: frozenset[int]
    day_of_week: frozenset[int]
    zone: tzinfo
    words: str = "a crontab"

    def after(self, moment: datetime) -> datetime | None:
        """The first of its moments after ``moment``; ``None`` where none is near."""
        local = moment.astimezone(self.zone)
        for day in self._days(local.date()):
            for hour in sorted(self.hour):
                if day == local.date() and hour < local.hour:
                    continue
                for minute in sorted(self.minute):
                    at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                    if at.astimezone(UTC) > moment.astimezone(UTC):
                        # Without a zone, a moment is local.
                        return at.astimezone(moment.tzinfo).replace(tzinfo=moment.tzinfo)
        return None

    def _days(self, first: date) -> Iterator[date]:
        """Its days from the first on."""
        for number in range(_DAYS):
            day = first + timedelta(days=number)
            if (
                day.month in self.month_of_year
                and day.day in self.day_of_month
                and day.isoweekday() % 7 in self.day_of_week
            ):
                yield day

    def __str__(self) -> str:
        return self.words


Recurrence: TypeAlias = Interval | Crontab


def crontab(
    zone: tzinfo, minute: str, hour: str, day_of_month: str, month_of_year: str, day_of_week: str
) -> Crontab:
    """The crontab of five texts, as Celery reads them.

    Raises:
        ValueError: If one of them can't be read.
    """
    return Crontab(
        _field(minute, 0, 59),
        _field(hour, 0, 23),
        _field(day_of_month, 1, 31),
        _field(month_of_year, 1, 12, _MONTHS),
        _field(day_of_week, 0, 6, _WEEKDAYS),
        zone,
        f"{minute} {hour} {day_of_month} {month_of_year} {day_of_week} {zone}",
    )


def _field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    """What a field of a crontab means: ``*/15``, ``1-5``, ``mon,wed``, ``22-2/2``."""
    whole = range(low, high + 1)

    def number(given: str) -> int:
        given = given.strip().lower()
        found = names.index(given[:3]) + low if given[:3] in names else int(given)
        if found not in whole:
            raise ValueError(f"{given} is not from {low} to {high}.")
        return found

    found: set[int] = set()
    for part in text.split(","):
        values, _, step = part.partition("/")
        first, is_range, last = values.partition("-")
        if values.strip() == "*":
            numbers = list(whole)
        elif is_range:
            start, end = number(first), number(last)
            beyond = end if end >= start else end + len(whole)
            numbers = [(one - low) % len(whole) + low for one in range(start, beyond + 1)]
        else:
            numbers = [number(first)]
        found.update(numbers[:: int(step) if step else 1])
    return frozenset(found)
