"""When something that comes again and again comes next. Pure, and without Celery.

Of Celery's kinds of schedules these are those whose next moment follows from the last one.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from math import acos, asin, atan2, cos, degrees, radians, sin
from typing import Final, TypeAlias

#: Days that are looked through for the next moment: the same days of the week come round again
#: after 28 years.
_DAYS: Final = 366 * 28 + 2
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS: Final = tuple(name.lower() for name in calendar.month_abbr[1:])
#: How high the sun's centre stands at an event, in degrees, and whether that is before noon.
_SUN: Final[Mapping[str, tuple[float, int]]] = {
    "dawn_astronomical": (-18.0, -1),
    "dawn_nautical": (-12.0, -1),
    "dawn_civil": (-6.0, -1),
    "sunrise": (-0.833, -1),
    "solar_noon": (0.0, 0),
    "sunset": (-0.833, 1),
    "dusk_civil": (-6.0, 1),
    "dusk_nautical": (-12.0, 1),
    "dusk_astronomical": (-18.0, 1),
}
#: An event comes again no sooner: a moment that is a little off is the same one.
_SAME_EVENT: Final = timedelta(hours=1)
#: The cosine of the sun's angle beyond which it hardly reaches a height, if it does.
_GRAZES: Final = 0.98
#: In what an interval is told, the greatest of which it has a whole number, and their seconds.
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60))
_EPOCH: Final = datetime(2000, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Interval:
    """Every so many seconds."""

    seconds: float

    def after(self, moment: datetime) -> datetime | None:
        """When it comes next after it came at ``moment``; ``None`` where no calendar has that."""
        try:
            return moment + timedelta(seconds=self.seconds)
        except OverflowError:
            return None

    def __str__(self) -> str:
        for unit, size in _UNITS:
            if self.seconds >= size and self.seconds % size == 0:
                return f"every {self.seconds / size:,.10g} {unit}"
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


@dataclass(frozen=True)
class Solar:
    """At an event of the sun's day, such as ``sunset``, to a few minutes.

    Where the sun hardly reaches a height, as near the poles, nothing is foretold of that day.

    Raises:
        ValueError: If there is no such event.
    """

    event: str
    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if self.event not in _SUN or not abs(self.latitude) < 90:
            raise ValueError(f"There is no {self.event} at the latitude {self.latitude}.")

    def after(self, moment: datetime) -> datetime | None:
        """The first of its moments after ``moment``; ``None`` where none is near."""
        base = moment.astimezone(UTC) + _SAME_EVENT
        for number in range(-1, 366):
            at = self._on(base.date() + timedelta(days=number))
            if at is not None and at > base:
                return at.astimezone(moment.tzinfo).replace(tzinfo=moment.tzinfo)
        return None

    def _on(self, day: date) -> datetime | None:
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        at: datetime = noon - timedelta(hours=self.longitude / 15)
        height, side = _SUN[self.event]
        for _ in range(3):  # as the sun moves on meanwhile
            declination, minutes = _sun(at)
            angle = 0.0
            if side:
                place = radians(self.latitude)
                reached = sin(radians(height)) - sin(place) * sin(declination)
                reached /= cos(place) * cos(declination)
                if abs(reached) > _GRAZES:
                    return None
                angle = degrees(acos(reached))
            hours = (side * angle - self.longitude) / 15
            at = noon + timedelta(hours=hours, minutes=-minutes)
        return at

    def __str__(self) -> str:
        return f"{self.event} at {self.latitude:g}, {self.longitude:g}"


def _sun(at: datetime) -> tuple[float, float]:
    """The sun's declination, and by how many minutes it is before the mean one."""
    days = (at - _EPOCH).total_seconds() / 86_400
    mean = radians(280.46 + 0.9856474 * days)
    anomaly = radians(357.528 + 0.9856003 * days)
    longitude = mean + radians(1.915) * sin(anomaly) + radians(0.02) * sin(2 * anomaly)
    tilt = radians(23.439)
    ascension = atan2(cos(tilt) * sin(longitude), cos(longitude))
    ahead = (degrees(mean - ascension) + 180) % 360 - 180
    return asin(sin(tilt) * sin(longitude)), 4 * ahead


Recurrence: TypeAlias = Interval | Crontab | Solar


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
