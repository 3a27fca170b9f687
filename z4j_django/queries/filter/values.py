"""What the values of a filter's terms look like, and how each is read from its text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from django.conf import settings
from django.utils import timezone

from z4j_django import states
from z4j_django.queries.cursors import Span
from z4j_django.queries.filter import words
from z4j_django.queries.filter.words import Text
from z4j_django.queries.status import STATUSES

_EXPECTED: Final = {
    "status": f"one of {', '.join(STATUSES)}",
    "state": f"a state: {', '.join(states.ALL)}",
    "pattern": "* at the end alone; a text that has one of its own goes in quotes",
    "text": "the whole text; one that has a * of its own goes in quotes",
    "moment": (
        "an age compared, such as >2h; a date or a moment, such as 2026-11-01 or "
        "2026-11-01T10:00:00Z; or a range, such as 2026-11-01..2026-11-03"
    ),
    "duration": "a length of time, such as 500ms, 5s, 2m, 3h or 1d",
    "integer": "a whole number of at most nine digits, such as 2, >=2 or 2..5",
}

#: An age is at most so old; what is longer than such a duration is none.
_LONGEST: Final = timedelta(weeks=5200)
_YEARS: Final = range(1970, 2200)
_UNITS: Final = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
}
_LENGTH: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d|w|)", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INTEGER: Final = re.compile(r"-?\d{1,9}", re.ASCII)
_COMPARED: Final = re.compile(r"(>=|<=|>|<|)(.*)", re.DOTALL)
_JSON_NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_JSON_WORDS: Final = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Exact:
    """One whole text."""

    text: str

    def __str__(self) -> str:
        return words.shown(self.text, "*")


@dataclass(frozen=True)
class Status(Exact):
    """How a task stands at a moment: the name of a status."""

    now: datetime = field(compare=False)


@dataclass(frozen=True)
class Prefix:
    """Texts that begin with ``text``; where that is empty, all that are not."""

    text: str

    def __str__(self) -> str:
        return (words.shown(self.text, "*") if self.text else "") + "*"


@dataclass(frozen=True)
class Range:
    """What lies between two ends, of which one may be missing.

    Attributes:
        typed: As it was typed.
        span: The ends.
    """

    typed: str
    span: Span

    def __str__(self) -> str:
        return words.shown(self.typed)


@dataclass(frozen=True)
class Duration(Range):
    """A range of lengths of time, of which some may still grow at a moment."""

    now: datetime = field(compare=False)


@dataclass(frozen=True)
class Json:
    """A value in JSON: a text, and what it reads as where it was not in quotes."""

    text: str
    is_literal: bool

    def __str__(self) -> str:
        return words.quote(self.text) if self.is_literal else words.shown(self.text)

    @property
    def reads_as(self) -> tuple[Any, ...]:
        """The number, boolean or null that it is besides; empty where it is none."""
        return () if self.is_literal else _from_json(self.text)


Value: TypeAlias = Exact | Prefix | Range | Json


@dataclass(frozen=True)
class _Interval:
    """What one end of a range stands for: an instant, or all of a day."""

    start: Any
    #: Where it is over, that moment left out; ``None``: an instant.
    over: Any = None
    #: Counted backwards: a greater age is an earlier moment.
    is_age: bool = False


def hull(values: Sequence[Value]) -> Span:
    """The span in which all ranges among some values lie."""
    spans = [one.span for one in values if isinstance(one, Range)]
    if len(spans) == 1:
        return spans[0]
    lows = [one.low for one in spans if one.low is not None]
    highs = [one.high for one in spans if one.high is not None]
    return Span(
        min(lows) if len(lows) == len(spans) else None,
        max(highs) if len(highs) == len(spans) else None,
    )


def text(value: Value) -> str:
    """The text of a value that is one."""
    assert isinstance(value, Exact | Prefix)  # noqa: S101 - what such a term holds
    return value.text


class UnreadableError(ValueError):
    """A text is no such value; its message is what was expected."""


def read(shape: str, text: Text, now: datetime) -> Value:
    """A value of ``shape``.

    Raises:
        UnreadableError: If it is none.
    """
    try:
        return _READERS[shape](text, now)
    except UnreadableError:
        raise
    except ValueError:
        raise UnreadableError(_EXPECTED[shape]) from None


def _state(text: Text, now: datetime) -> Exact:
    state = str(text).upper()
    if state not in states.ALL:
        raise ValueError
    return Exact(state)


def _status(text: Text, now: datetime) -> Status:
    name = str(text).lower()
    if name not in STATUSES:
        raise ValueError
    return Status(name, stored(now))


def _whole(text: Text, now: datetime) -> Exact:
    if "*" in text.bare:
        raise ValueError
    return Exact(str(text))


def _pattern(text: Text, now: datetime) -> Exact | Prefix:
    if "*" not in text.bare:
        return Exact(str(text))
    last, quoted = text.pieces[-1]
    if quoted or not last.endswith("*") or text.bare.count("*") > 1:
        raise ValueError
    return Prefix(str(text)[:-1])


def _json(text: Text, now: datetime) -> Json:
    value = str(text)
    return Json(value, is_literal=text.is_quoted and bool(_from_json(value)))


def _from_json(text: str) -> tuple[Any, ...]:
    if text in _JSON_WORDS:
        return (_JSON_WORDS[text],)
    if not (match := _JSON_NUMBER.fullmatch(text)):
        return ()
    if match[2] is None and match[3] is None:
        # What is beyond 64 bits is on record as text.
        number = int(text) if len(text) <= 20 else 2**63
        return (number,) if -(2**63) <= number < 2**63 else ()
    found = float(json.loads(text))
    return (found,) if math.isfinite(found) else ()


def _moment(text: Text, now: datetime) -> Range:
    def end(given: str) -> _Interval:
        if match := _LENGTH.fullmatch(given):
            if match[2] in ("", "ms"):
                raise ValueError
            seconds = Decimal(match[1]) * _UNITS[match[2]]
            if seconds > _LONGEST.total_seconds():
                raise ValueError
            return _Interval(stored(now - timedelta(seconds=float(seconds))), is_age=True)
        return _of_calendar(given)

    return _range(str(text), end)


def _of_calendar(given: str) -> _Interval:
    if not _DATE.match(given):
        raise ValueError
    if not _DATE.fullmatch(given):
        return _Interval(stored(_aware(datetime.fromisoformat(given))))
    day = datetime.combine(date.fromisoformat(given), datetime.min.time())
    return _Interval(stored(_aware(day)), stored(_aware(day + timedelta(days=1))))


def _aware(moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise ValueError
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def stored(moment: datetime) -> datetime:
    """A moment as the project's database has it: in UTC, or without ``USE_TZ`` naive."""
    if settings.USE_TZ:
        return moment.astimezone(UTC)
    return timezone.make_naive(moment) if timezone.is_aware(moment) else moment


def _duration(text: Text, now: datetime) -> Duration:
    def end(given: str) -> _Interval:
        match = _LENGTH.fullmatch(given)
        if match is None:
            raise ValueError
        return _Interval(float(Decimal(match[1]) * _UNITS[match[2] or "s"]))

    found = _range(str(text), end)
    return Duration(found.typed, found.span, stored(now))


def _integer(text: Text, now: datetime) -> Range:
    def end(given: str) -> _Interval:
        if not _INTEGER.fullmatch(given):
            raise ValueError
        return _Interval(int(given))

    return _range(str(text), end)


def _range(text: str, end: Callable[[str], _Interval]) -> Range:
    first, dots, second = text.partition("..")
    if dots:
        span = _between(end(first) if first else None, end(second) if second else None)
        return Range(text, span)
    match = _COMPARED.fullmatch(text)
    assert match is not None  # noqa: S101 - it matches any text
    return Range(text, _compared(match[1], end(match[2])))


def _between(first: _Interval | None, second: _Interval | None) -> Span:
    if first and second and first.is_age != second.is_age:
        raise UnreadableError("two ages, or two dates or moments, as the ends of a range")
    is_age = any(one is not None and one.is_age for one in (first, second))
    low, high = (second, first) if is_age else (first, second)
    if low is None and high is None:
        raise ValueError
    if low and high and low.start > high.start:
        raise UnreadableError("the smaller end of a range first")
    return Span(
        low.start if low else None,
        (high.over or high.start) if high else None,
        with_high=high is None or high.over is None,
    )


def _compared(operator: str, end: _Interval) -> Span:
    if end.is_age:
        if not operator:
            raise ValueError
        operator = operator.translate(str.maketrans("<>", "><"))
    if operator == ">":
        return Span(low=end.over or end.start, with_low=end.over is not None)
    if operator == ">=":
        return Span(low=end.start)
    if operator == "<":
        return Span(high=end.start, with_high=False)
    high, with_high = end.over or end.start, end.over is None
    return Span(None if operator == "<=" else end.start, high, with_high=with_high)


_READERS: Final[dict[str, Callable[[Text, datetime], Value]]] = {
    "state": _state,
    "status": _status,
    "pattern": _pattern,
    "text": _whole,
    "moment": _moment,
    "duration": _duration,
    "integer": _integer,
    "json": _json,
}
