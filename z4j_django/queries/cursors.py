"""Where a page of a list begins: the key of a row, and the order in which the rows follow."""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db.models import Q

from z4j_django.values import GREATEST_ID

#: Columns that several rows may have the same of.
MOMENTS: Final = ("sent_at", "started_at")
_ID: Final = struct.Struct(">q")
_TOKEN: Final = re.compile(r"[\w-]{11}|[\w-]{22}", re.ASCII)


class Key(NamedTuple):
    """A row's place in a list; of a long one there are thousands.

    Attributes:
        id: Its number; in the list of an operation's targets, its position.
        moment: Its other key, in a list that is ordered by when tasks were sent, or started.
    """

    id: int
    moment: datetime | None = None

    def token(self) -> str:
        """The same for an address."""
        packed = _ID.pack(self.id)
        if self.moment is not None:
            packed += _ID.pack(_microseconds(self.moment))
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    @classmethod
    def from_token(cls, text: str) -> Key:
        """The key of a token.

        Raises:
            ValueError: If it is none.
        """
        wrong = ValueError("This is no place in a list.")
        if not _TOKEN.fullmatch(text):
            raise wrong
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        numbers = [number for (number,) in _ID.iter_unpack(packed)]
        try:
            key = cls(numbers[0], _moment(numbers[1]) if len(numbers) > 1 else None)
        except OverflowError:
            raise wrong from None
        if key.id < 0 or key.token() != text:
            raise wrong
        return key


def _microseconds(moment: datetime) -> int:
    return (moment - _epoch()) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _epoch() + timedelta(microseconds=microseconds)


def _epoch() -> datetime:
    """As the database has its moments: without ``USE_TZ`` they are naive."""
    return datetime(1970, 1, 1, tzinfo=UTC if settings.USE_TZ else None)


@dataclass(frozen=True)
class Cursor:
    """Where a page begins: it follows the row ``before``, or precedes the row ``after``.

    In a list with the newest first, that is below the one and above the other; without either it
    begins at the top. A page that precedes a row is read from that row on.
    """

    before: Key | int | None = None
    after: Key | int | None = None

    @property
    def key(self) -> Key | None:
        """The row, whichever it is."""
        given = self.before if self.after is None else self.after
        return Key(given) if isinstance(given, int) else given


@dataclass(frozen=True)
class Span:
    """What lies between two moments, or two numbers, of which one may be missing.

    Attributes:
        low: The smaller one.
        high: The greater one.
        with_low: Whether the smaller one is in it.
        with_high: Whether the greater one is in it.
    """

    low: Any = None
    high: Any = None
    with_low: bool = True
    with_high: bool = True

    def __and__(self, other: Span) -> Span:
        lows = [one for one in (self, other) if one.low is not None]
        highs = [one for one in (self, other) if one.high is not None]
        low = max(lows, key=lambda one: (one.low, not one.with_low), default=Span())
        high = min(highs, key=lambda one: (one.high, one.with_high), default=Span())
        return Span(low.low, high.high, low.with_low, high.with_high)

    def of(self, column: str) -> Q:
        """The condition that a column lies in it; that it is known, where there is no end."""
        found = Q()
        if self.low is not None:
            found &= Q(**{f"{column}__{'gte' if self.with_low else 'gt'}": self.low})
        if self.high is not None:
            found &= Q(**{f"{column}__{'lte' if self.with_high else 'lt'}": self.high})
        return found or Q(**{f"{column}__isnull": False})


@dataclass(frozen=True)
class Order:
    """In which order a list is read.

    Attributes:
        column: By which column: ``id``, ``sent_at``, ``started_at``, or another one that numbers
            the rows.
        down: The greatest first.
    """

    column: str = "id"
    down: bool = True

    @classmethod
    def of(cls, text: str) -> Order:
        """The order that ``order_by`` would write so."""
        return cls(text.removeprefix("-"), down=text.startswith("-"))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a key; the last one numbers the rows."""
        return (self.column, "id") if self.column in MOMENTS else (self.column,)

    def by(self, *columns: str) -> list[str]:
        """The same for ``order_by``; by ``columns`` before its own."""
        sign = "-" if self.down else ""
        return [f"{sign}{column}" for column in (*columns, *self.columns)]

    @property
    def turned(self) -> Order:
        """The other direction."""
        return replace(self, down=not self.down)

    def key(self, row: Any) -> Key:
        """The place of a row."""
        return Key(*(getattr(row, column) for column in reversed(self.columns)))

    def beyond(self, key: Key | None) -> Q:
        """The rows that come after ``key``.

        Raises:
            ValueError: If that is a place in a list of another order.
        """
        if key is None:
            return Q()
        if (key.moment is None) != (len(self.columns) == 1):
            raise ValueError("This place belongs to a list in another order.")
        if key.moment is None:
            return Q(**{f"{self.column}__{self._step}": key.id})
        return self.span(key).of(self.column) & self.tie(key)

    def span(self, key: Key) -> Span:
        """Where the moments of the rows after ``key`` lie, in a list that is ordered by those."""
        return Span(high=key.moment) if self.down else Span(low=key.moment)

    def tie(self, key: Key) -> Q:
        """Which of them come after ``key`` where several have one moment."""
        further = {f"{self.column}__{self._step}": key.moment}
        return Q(**further) | Q(**{f"id__{self._step}": key.id})

    @property
    def _step(self) -> str:
        return "lt" if self.down else "gt"

    def rank(self, key: Key) -> tuple[float | timedelta, ...]:
        """Where ``key`` stands: what comes sooner has the lesser one."""
        sign = -1 if self.down else 1
        if key.moment is None:
            return (sign * key.id,)
        return sign * (key.moment - _epoch()), sign * key.id

    def just_before(self, key: Key) -> Key:
        """The place after which ``key`` comes next."""
        number = key.id + (1 if self.down else -1)
        return key._replace(id=min(max(number, 0), GREATEST_ID))
