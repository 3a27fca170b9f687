"""Ranges of time that statistics are told of: how long, and by which steps they are counted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from z4j_django.conf import settings
from z4j_django.counters import DAY, HOUR, MINUTE, STEPS

#: Seconds of a point of a series, by the words for them.
STEP_WORDS: Final = {
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "1h": HOUR,
    "6h": 6 * HOUR,
    "1d": DAY,
}
#: Points of a series at most; and at most as many where nobody says how long each is to be.
POINTS: Final = 400
_CHOSEN: Final = 100
#: Seconds of a range over all names; a series has as many days as it may have points.
LONGEST: Final = 90 * DAY
LONGEST_SERIES: Final = POINTS * DAY
DEFAULT_RANGE: Final = HOUR
#: With what a range is compared: the same, so many seconds before.
BEFORE: Final = {"hour": HOUR, "day": DAY, "week": 7 * DAY}
#: Seconds up to which a range over all names is counted by minutes, and by hours: of 500 names
#: that is 30,000 rows at most, and of 90 days 45,000.
_BY_MINUTES: Final = HOUR
_BY_HOURS: Final = 2 * DAY


@dataclass(frozen=True)
class Range:
    """From when to when, in whole steps. All are seconds; times since the epoch.

    Attributes:
        since: The begin.
        until: The end, which is not part of it.
        step: Of a point of a series; of a table, by what it is counted.
    """

    since: int
    until: int
    step: int

    @property
    def seconds(self) -> int:
        """How long it is."""
        return self.until - self.since

    @property
    def counted(self) -> int:
        """The longest step of the statistics of which its own is made."""
        return max(step for step in STEPS if self.step % step == 0)

    def before(self, what: str) -> Range:
        """The same an hour, a day or a week before: one of :data:`BEFORE`."""
        return Range(self.since - BEFORE[what], self.until - BEFORE[what], self.step)


def valid_steps(since: float, until: float) -> list[str]:
    """The words for the steps that a series over a range can have: not too many, and kept."""
    kept = settings.retention.statistics
    age = time.time() - since
    found = []
    for word, step in STEP_WORDS.items():
        counted = Range(0, 0, step).counted
        limit = kept[counted].total_seconds() if counted in kept else age
        if step <= max(until - since, MINUTE) <= step * POINTS and age <= limit + step:
            found.append(word)
    return found or ["1d"]


def series_range(since: float, until: float, step: str = "") -> Range:
    """A range for a series.

    Args:
        since: The begin, in seconds since the epoch.
        until: The end.
        step: One of :data:`STEP_WORDS`; by default one that makes a readable number of points.

    Raises:
        ValueError: If there is no such range or step; names the valid ones.
    """
    _see_that_it_is(since, until, LONGEST_SERIES)
    valid = valid_steps(since, until)
    if step and step not in valid:
        raise ValueError(f"Over this range a step has to be one of {', '.join(valid)}.")
    few = [word for word in valid if (until - since) <= STEP_WORDS[word] * _CHOSEN]
    return _whole(since, until, STEP_WORDS[step or (few or valid[-1:])[0]])


def table_range(since: float, until: float) -> Range:
    """A range for a table: counted by minutes, hours or days, whatever is not too many rows.

    Raises:
        ValueError: If there is no such range.
    """
    _see_that_it_is(since, until, LONGEST)
    length = until - since
    for step, longest in ((MINUTE, _BY_MINUTES), (HOUR, _BY_HOURS)):
        age = settings.retention.statistics.get(step)
        if length <= longest and (age is None or time.time() - since <= age.total_seconds()):
            return _whole(since, until, step)
    return _whole(since, until, DAY)


def _see_that_it_is(since: float, until: float, longest: int) -> None:
    if not 0 <= since < until:
        raise ValueError("A range has to end after it begins.")
    if until - since > longest:
        raise ValueError(f"A range has at most {longest // DAY} days.")


def _whole(since: float, until: float, step: int) -> Range:
    """A range that is widened to whole steps."""
    return Range(int(since // step) * step, -int(-until // step) * step, step)
