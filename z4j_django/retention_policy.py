"""How long records are kept: ``Z4J["RETENTION"]``, and ages as people write them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from z4j_django import states
from z4j_django.counters import STEPS

#: Stands for every state from which a task moves on by itself.
UNFINISHED: Final = "unfinished"
#: Stands for all that has no age of its own.
DEFAULT: Final = "default"
#: The messages of tasks, which else go with their task; and what operators did, which is else
#: kept for ever. The default age is not theirs.
PAYLOADS: Final = "payloads"
OPERATIONS: Final = "operations"
#: Samples of queues, conditions that have ended, and what was told of them.
SAMPLES: Final = "samples"
CONDITIONS: Final = "conditions"
ALERTS: Final = "alerts"
#: Statistics, by how many seconds each counts together.
STATISTICS: Final = dict(
    zip(("statistics_minutes", "statistics_hours", "statistics_days"), STEPS, strict=True)
)
#: The ages of what grows by itself, and is worth little once it is old, where nothing is said.
_AGES: Final[Mapping[str, timedelta | None]] = {
    SAMPLES: timedelta(weeks=2),
    CONDITIONS: timedelta(days=90),
    ALERTS: timedelta(days=90),
    "statistics_minutes": timedelta(days=2),
    "statistics_hours": timedelta(days=90),
}

# No minutes: "3m" may mean months.
_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}
_AGE: Final = re.compile(r"(\d{1,5})\s*([hdw])", re.ASCII)
_LONGEST: Final = timedelta(weeks=5200)


@dataclass(frozen=True)
class RetentionPolicy:
    """How old records get.

    Attributes:
        tasks: By state; a state that is missing is kept for ever.
        rest: Age of workers, journals and losses; ``None``: kept for ever.
        payloads: Age of messages; ``None``: kept as long as their task.
        operations: Age of what operators did; ``None``: kept for ever.
        samples: Age of the samples of queues; ``None``: kept for ever.
        conditions: How long ago a condition ended; ``None``: kept for ever.
        alerts: Age of what was told of them, and of silences that are over; ``None``: likewise.
        statistics: By the seconds that each counts together; one that is missing is kept for ever.
    """

    tasks: Mapping[str, timedelta] = field(default_factory=dict)
    rest: timedelta | None = None
    payloads: timedelta | None = None
    operations: timedelta | None = None
    samples: timedelta | None = None
    conditions: timedelta | None = None
    alerts: timedelta | None = None
    statistics: Mapping[int, timedelta] = field(default_factory=dict)

    @property
    def shortest(self) -> timedelta | None:
        """The age before which no task goes; ``None`` where none ever does."""
        return min(self.tasks.values(), default=None)


def parse(given: Any) -> timedelta:
    """An age: a text such as ``"12h"``, ``"7d"`` or ``"4w"``, or a ``timedelta``.

    Raises:
        ValueError: If it is none; the message continues "… is ".
    """
    age = given
    if isinstance(given, str) and (match := _AGE.fullmatch(given.strip())):
        age = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if not isinstance(age, timedelta):
        raise ValueError(f'{given!r}, which is no age; write "12h", "7d" or "4w".')
    if not timedelta(0) < age <= _LONGEST:
        raise ValueError(f"{given!r}; an age is longer than nothing and at most 5200 weeks.")
    return age


def from_setting(given: Mapping[str, Any]) -> RetentionPolicy:
    """What ``Z4J["RETENTION"]`` says.

    Args:
        given: An age, or ``None`` for ever, by state, ``"unfinished"`` or ``"default"``, of which
            the most particular counts; or by one of the nouns above.

    Raises:
        ValueError: If a key is unknown or a value is no age; the message names both.
    """
    nouns = (PAYLOADS, OPERATIONS, SAMPLES, CONDITIONS, ALERTS, *STATISTICS)
    known = (*states.ALL, UNFINISHED, DEFAULT, *nouns)
    ages = dict(_AGES)
    for key, value in given.items():
        if key not in known:
            raise ValueError(
                f"Z4J['RETENTION'] has no place for {key!r}; it may hold {', '.join(known)}."
            )
        try:
            ages[key] = None if value is None else parse(value)
        except ValueError as error:
            raise ValueError(f"Z4J['RETENTION'][{key!r}] is {error}") from None
    tasks = {state: age for state in states.ALL if (age := _age_of(state, ages)) is not None}
    return RetentionPolicy(
        tasks,
        rest=ages.get(DEFAULT),
        payloads=ages.get(PAYLOADS),
        operations=ages.get(OPERATIONS),
        samples=ages.get(SAMPLES),
        conditions=ages.get(CONDITIONS),
        alerts=ages.get(ALERTS),
        statistics={step: age for key, step in STATISTICS.items() if (age := ages.get(key))},
    )


def of_states(age: timedelta, wanted: Iterable[str]) -> RetentionPolicy:
    """One age for some states, or for all records that there are where ``wanted`` is empty."""
    keys = list(wanted) or [DEFAULT]
    return from_setting(dict.fromkeys(_AGES) | dict.fromkeys(keys, age))


def _age_of(state: str, ages: Mapping[str, timedelta | None]) -> timedelta | None:
    kind = (UNFINISHED,) if state in states.UNFINISHED else ()
    for key in (state, *kind, DEFAULT):
        if key in ages:
            return ages[key]
    return None
