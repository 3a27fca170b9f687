"""Ranges of an index whose rows a list has in its order, read so that no planner strays."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Final, TypeAlias, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import BooleanField, F, Model, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.lookups import GreaterThan, LessThan

from z4j_django.queries.cursors import Key, Order, Span

M = TypeVar("M", bound=Model)

#: Values whose newest rows are sought in one statement; and what stands for a value in it.
_AT_ONCE: Final = 50
_ANY: Final = "\x01any"

#: A statement with its parameters.
Statement: TypeAlias = tuple[str, Sequence[Any]]


@dataclass(frozen=True)
class IndexRange:
    """Rows that one index has together, in the order of their ids.

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
    value: str | int = ""
    within: tuple[tuple[str, str], ...] = ()
    span: Span = field(default_factory=Span)
    is_few: bool = False

    @property
    def whole(self) -> Q:
        """The rows, for a query that asks for no order."""
        found = self.condition & Q(*self.within)
        return found & Q(**{self.column: self.value}) if self.column else found


def matching(queryset: QuerySet[M], ranges: Sequence[IndexRange]) -> QuerySet[M]:
    """The rows of ``queryset`` that lie in any of the ranges, in no order."""
    return queryset.filter(reduce(or_, (one.whole for one in ranges)))


def rows(queryset: QuerySet[M], part: IndexRange, order: Order, key: Key | None) -> QuerySet[M]:
    """The rows of ``queryset`` in a range after ``key``, in order."""
    beyond = order.beyond(key)
    column, value = part.column, part.value
    if "sent_at" in order.columns:
        # SQLite walks from one bound to one other, however many there are.
        span = part.span if key is None else part.span & order.span(key)
        tie = Q() if key is None else order.tie(key)
        return queryset.filter(part.whole, span.of("sent_at"), tie).order_by(*order.by())
    if part.is_few:
        # Of no use to the primary key, which might seem the shorter road to the first of them.
        number = F("id") + 0
        after = LessThan if order.down else GreaterThan
        bounds = [] if key is None else [after(number, key.id)]
        sorted_by = number.desc() if order.down else number.asc()
        return queryset.filter(part.whole, *bounds).order_by(sorted_by)
    if not column or connections[queryset.db].vendor != "postgresql":
        return queryset.filter(part.whole, beyond).order_by(*order.by())
    # With an equality PostgreSQL knows that the primary key's order would do as well, and takes
    # it for frequent values: where all their rows are old, it reads through all that is newer.
    # A range leaves it the index.
    values = Q(*part.within, **{f"{column}__gte": value, f"{column}__lte": value})
    queryset = queryset.filter(part.condition, values).order_by(*order.by(column))
    return queryset if key is None else queryset.filter(_beyond(queryset, part, order, key))


def newest_of_each(
    queryset: QuerySet[M], column: str, values: Sequence[str], limit: int = 1
) -> list[int]:
    """The ids of the newest rows for each value of a column that an index begins with.

    Django takes as long to compile a statement as the database to answer it; so that is done once.

    Args:
        queryset: Which rows may be among them.
        column: A text column.
        values: Whose rows.
        limit: How many rows of each value, at most.
    """
    found: list[int] = []
    with connections[queryset.db].cursor() as cursor:
        for statement in _of_each(queryset, column, values, limit):
            cursor.execute(*statement)
            found += [row[0] for row in cursor.fetchall()]
    return found


def newest_rows(queryset: QuerySet[M], column: str, values: Sequence[str], limit: int) -> list[M]:
    """The same rows themselves, with the columns that ``queryset`` reads, in no order."""
    found: list[M] = []
    for sql, given in _of_each(queryset, column, values, limit):
        ids = RawSQL(f"SELECT id FROM ({sql}) newest_ids", given)  # noqa: S608, S611 - compiled by Django
        rows = queryset.model._default_manager.using(queryset.db).filter(pk__in=ids)
        rows.query.deferred_loading = queryset.query.deferred_loading
        found += rows
    return found


def _of_each(
    queryset: QuerySet[M], column: str, values: Sequence[str], limit: int
) -> Iterator[Statement]:
    one = rows(queryset, IndexRange(column=column, value=_ANY), Order(), None)
    statement = compiled(one.values("id")[:limit])
    if statement is None or not values:
        return
    if connections[queryset.db].vendor == "postgresql":
        yield _lateral(statement, list(values))
        return
    for first in range(0, len(values), _AT_ONCE):
        yield _united(statement, values[first : first + _AT_ONCE])


def _lateral(statement: Statement, values: list[str]) -> Statement:
    """A statement for each of some values, planned once."""
    sql, given = statement
    pieces = sql.split("%s")
    marks = ['wanted.value COLLATE "C"' if value == _ANY else "%s" for value in given]
    inner = "".join(itertools.chain(*zip(pieces, [*marks, ""], strict=True)))
    return (
        "SELECT part.id FROM unnest(%s::text[]) AS wanted(value) "  # noqa: S608 - compiled by Django
        f"CROSS JOIN LATERAL ({inner}) AS part"
    ), [values, *(value for value in given if value != _ANY)]


def _united(statement: Statement, values: Sequence[str]) -> Statement:
    """The same where no join may look at the row beside it."""
    sql, given = statement
    union = " UNION ALL ".join(
        f"SELECT id FROM ({sql}) part_{number}"  # noqa: S608 - compiled by Django
        for number in range(len(values))
    )
    return union, [value if one == _ANY else one for value in values for one in given]


def _beyond(queryset: QuerySet[M], part: IndexRange, order: Order, key: Key) -> RawSQL:
    """The comparison of a row of values, which begins in the middle of an index range."""
    table = connections[queryset.db].ops.quote_name(queryset.model._meta.db_table)
    fixed = ((part.column, part.value), *part.within)
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
    parts: Iterable[Statement | None],
    order: Order,
    limit: int,
) -> QuerySet[M]:
    """The first rows that any of several statements finds.

    It is one statement, for no database plans an OR so well.

    Args:
        queryset: Whose rows, with their annotations; its conditions stand in the parts.
        parts: Statements that select the columns of ``order``; none where they are ``None``.
        order: The order of them all.
        limit: How many rows at most.
    """
    statement = _merged(parts, order, limit)
    if statement is None:
        return queryset.none()
    merged, params = statement
    ids = RawSQL(f"SELECT id FROM ({merged}) first_ids", params)  # noqa: S608, S611 - compiled by Django
    found = queryset.model._default_manager.using(queryset.db).filter(pk__in=ids)
    found.query.deferred_loading = queryset.query.deferred_loading
    found = found.annotate(**queryset.query.annotations)
    return with_keys(found, order).order_by(*order.by())


def first_keys(
    queryset: QuerySet[Any], parts: Iterable[Statement | None], order: Order, limit: int
) -> list[Key]:
    """The places of the same rows; of thousands they are found three times as fast."""
    parts = list(parts)
    if len(order.columns) > 1:  # Django reads moments as each database has them.
        rows = first(queryset, parts, order, limit).values_list(*order.columns)
        return [Key(*reversed(row)) for row in rows]
    statement = _merged(parts, order, limit)
    if statement is None:
        return []
    with connections[queryset.db].cursor() as cursor:
        cursor.execute(*statement)
        return [Key(row_id) for (row_id,) in cursor.fetchall()]


def _merged(parts: Iterable[Statement | None], order: Order, limit: int) -> Statement | None:
    statements = [part for part in parts if part is not None]
    if not statements:
        return None
    columns = ", ".join(order.columns)
    union = " UNION ".join(
        f"SELECT {columns} FROM ({sql}) part_{position}"  # noqa: S608 - compiled by Django
        for position, (sql, _) in enumerate(statements)
    )
    ordered = ", ".join(f"{name} {'DESC' if order.down else 'ASC'}" for name in order.columns)
    params = [value for _, params in statements for value in params]
    return f"SELECT {columns} FROM ({union}) merged ORDER BY {ordered} LIMIT {limit:d}", params  # noqa: S608


def with_keys(queryset: QuerySet[M], order: Order) -> QuerySet[M]:
    """The same rows, the columns of their keys not left out."""
    found = queryset.all()
    names, is_deferred = queryset.query.deferred_loading
    keys = frozenset(order.columns)
    found.query.deferred_loading = (names - keys if is_deferred else names | keys, is_deferred)
    return found
