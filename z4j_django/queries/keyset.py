"""Pages by key: the newest rows of an index range, wherever in the table they are."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, Final, TypeAlias, TypeVar

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import BooleanField, F, Model, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.lookups import GreaterThan, LessThan

M = TypeVar("M", bound=Model)

#: A statement with its parameters.
Statement: TypeAlias = tuple[str, Sequence[Any]]

#: The greatest number that a row can have.
GREATEST_ID: Final = 2**63 - 1

_ID: Final = struct.Struct(">q")
_TOKEN: Final = re.compile(r"[\w-]{11}|[\w-]{22}", re.ASCII)


@dataclass(frozen=True)
class Key:
    """A row's place in a list.

    Attributes:
        id: Its number.
        sent_at: Its other key, in a list that is ordered by when tasks were sent.
    """

    id: int
    sent_at: datetime | None = None

    def token(self) -> str:
        """The same for an address."""
        packed = _ID.pack(self.id)
        if self.sent_at is not None:
            packed += _ID.pack(_microseconds(self.sent_at))
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
class Place:
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
    """What lies between two moments, of which one may be missing.

    Attributes:
        low: The earlier one.
        high: The later one.
        with_low: Whether the earlier one is in it.
        with_high: Whether the later one is in it.
    """

    low: datetime | None = None
    high: datetime | None = None
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
        down: The greatest first.
        columns: By which columns; the last is ``id``.
    """

    down: bool = True
    columns: tuple[str, ...] = ("id",)

    def by(self, *columns: str) -> list[str]:
        """The same for ``order_by``; by ``columns`` before its own."""
        sign = "-" if self.down else ""
        return [f"{sign}{column}" for column in (*columns, *self.columns)]

    @property
    def turned(self) -> Order:
        """The other direction."""
        return replace(self, down=not self.down)

    def beyond(self, key: Key | None) -> Q:
        """The rows that come after ``key``.

        Raises:
            ValueError: If that is a place in a list of another order.
        """
        if key is None:
            return Q()
        if (key.sent_at is None) != (len(self.columns) == 1):
            raise ValueError("This place belongs to a list in another order.")
        if key.sent_at is None:
            return Q(**{f"id__{self._step}": key.id})
        return self.span(key).of("sent_at") & self.tie(key)

    def span(self, key: Key) -> Span:
        """Where the rows after ``key`` were sent, in a list that is ordered by that."""
        return Span(high=key.sent_at) if self.down else Span(low=key.sent_at)

    def tie(self, key: Key) -> Q:
        """Which of them come after ``key`` where several were sent at one moment."""
        further = {f"sent_at__{self._step}": key.sent_at}
        return Q(**further) | Q(**{f"id__{self._step}": key.id})

    @property
    def _step(self) -> str:
        return "lt" if self.down else "gt"

    def rank(self, key: Key) -> tuple[float | timedelta, ...]:
        """Where ``key`` stands: what comes sooner has the lesser one."""
        sign = -1 if self.down else 1
        if key.sent_at is None:
            return (sign * key.id,)
        return sign * (key.sent_at - _epoch()), sign * key.id

    def just_before(self, key: Key) -> Key:
        """The place after which ``key`` comes next."""
        number = key.id + (1 if self.down else -1)
        return replace(key, id=min(max(number, 0), GREATEST_ID))


@dataclass(frozen=True)
class Way:
    """Rows that one index finds in the order of their ids.

    Attributes:
        condition: Which rows.
        column: The column that the index begins with, where there is one besides the id; all
            rows have ``value`` there, and ``condition`` need not say so.
        within: The columns of the index between that one and the id, with the value of each.
        span: When they were sent, in a list that is ordered by that.
        is_few: They are so few that they are found in another order, and sorted.
    """

    condition: Q = field(default_factory=Q)
    column: str = ""
    value: str = ""
    within: tuple[tuple[str, str], ...] = ()
    span: Span = field(default_factory=Span)
    is_few: bool = False

    @property
    def whole(self) -> Q:
        """The rows, for a query that asks for no order."""
        found = self.condition & Q(*self.within)
        return found & Q(**{self.column: self.value}) if self.column else found


def matching(queryset: QuerySet[M], ways: Sequence[Way]) -> QuerySet[M]:
    """The rows that lie on any of the ways, in no order; all where there is no way."""
    return queryset.filter(reduce(or_, (way.whole for way in ways))) if ways else queryset


def page(queryset: QuerySet[M], ways: Sequence[Way], place: Place, limit: int) -> QuerySet[M]:
    """The first rows at ``place`` that lie on any of the ways.

    Args:
        queryset: Which rows may be on the page besides.
        ways: At least one; each is walked no further than the page needs.
        place: Where the page begins.
        limit: How many rows at most.
    """
    order = Order(down=place.after is None)
    if len(ways) == 1:
        return along(queryset, ways[0], order, place.key)[:limit]
    ids: Any = queryset.values("id")
    parts = [compiled(along(ids, way, order, place.key)[:limit]) for way in ways]
    return first(queryset, parts, order, limit)


def along(queryset: QuerySet[M], way: Way, order: Order, key: Key | None) -> QuerySet[M]:
    """The rows of ``queryset`` on a way after ``key``, in order."""
    beyond = order.beyond(key)
    column, value = way.column, way.value
    if "sent_at" in order.columns:
        # SQLite walks from one bound to one other, however many there are.
        span = way.span if key is None else way.span & order.span(key)
        tie = Q() if key is None else order.tie(key)
        return queryset.filter(way.whole, span.of("sent_at"), tie).order_by(*order.by())
    if way.is_few:
        # Of no use to the primary key, which might seem the shorter way to the first of them.
        number = F("id") + 0
        after = LessThan if order.down else GreaterThan
        bounds = [] if key is None else [after(number, key.id)]
        sorted_by = number.desc() if order.down else number.asc()
        return queryset.filter(way.whole, *bounds).order_by(sorted_by)
    if not column or connections[queryset.db].vendor != "postgresql":
        return queryset.filter(way.whole, beyond).order_by(*order.by())
    # With an equality PostgreSQL knows that the primary key's order would do as well, and takes
    # it for frequent values: where all their rows are old, it reads through all that is newer.
    # A range leaves it the index.
    values = Q(*way.within, **{f"{column}__gte": value, f"{column}__lte": value})
    queryset = queryset.filter(way.condition, values).order_by(*order.by(column))
    return queryset if key is None else queryset.filter(_beyond(queryset, way, order, key))


def _beyond(queryset: QuerySet[M], way: Way, order: Order, key: Key) -> RawSQL:
    """The comparison of a row of values, which begins in the middle of an index range."""
    table = connections[queryset.db].ops.quote_name(queryset.model._meta.db_table)
    fixed = ((way.column, way.value), *way.within)
    columns = ", ".join(f"{table}.{column}" for column, _ in (*fixed, ("id", "")))
    marks = ", ".join(["%s"] * (len(fixed) + 1))
    return RawSQL(  # noqa: S611 - names of our own
        f"({columns}) {'<' if order.down else '>'} ({marks})",
        (*(value for _, value in fixed), key.id),
        BooleanField(),
    )


def compiled(queryset: QuerySet[Any, Any]) -> Statement | None:
    """The statement of a queryset with its parameters; ``None`` where it can't find a row."""
    try:
        sql, params = queryset.query.get_compiler(queryset.db).as_sql()
    except EmptyResultSet:
        return None
    return sql, params


def first(
    queryset: QuerySet[M],
    parts: Sequence[Statement | None],
    order: Order,
    limit: int,
) -> QuerySet[M]:
    """The first rows that any of several statements finds.

    It is one statement, for no database plans an OR so well.

    Args:
        queryset: Whose rows; its conditions stand in the parts.
        parts: Statements that select the columns of ``order``; none where they are ``None``.
        order: The order of them all.
        limit: How many rows at most.
    """
    found = [part for part in parts if part is not None]
    if not found:
        return queryset.none()
    columns = ", ".join(order.columns)
    union = " UNION ".join(
        f"SELECT {columns} FROM ({sql}) part_{position}"  # noqa: S608 - compiled by Django
        for position, (sql, _) in enumerate(found)
    )
    ordered = ", ".join(f"{name} {'DESC' if order.down else 'ASC'}" for name in order.columns)
    ids = RawSQL(  # noqa: S611 - compiled by Django, with its parameters
        f"SELECT id FROM (SELECT {columns} FROM ({union}) merged "  # noqa: S608
        f"ORDER BY {ordered} LIMIT {limit:d}) first_ids",
        [value for _, params in found for value in params],
    )
    rows = queryset.model._default_manager.using(queryset.db).filter(pk__in=ids)
    names, is_deferred = queryset.query.deferred_loading
    keys = frozenset(order.columns)
    rows.query.deferred_loading = (names - keys if is_deferred else names | keys, is_deferred)
    return rows.order_by(*order.by())
