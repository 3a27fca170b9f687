"""Pages of a narrowed walk: each looks through a bounded number of rows, whatever it finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from django.db import connections
from django.db.models import Model, QuerySet

from z4j_django.queries import keyset

M = TypeVar("M", bound=Model)

#: The last place of a window, and how many rows are in it.
_End: TypeAlias = tuple[keyset.Key, int]

#: Rows that a page looks through, at most.
WINDOW: Final = 5000


@dataclass(frozen=True)
class Walk:
    """Which rows are read, and in which order.

    Attributes:
        ways: The indexes that lead.
        order: The direction.
        key: Where it begins; ``None``: at the end.
        is_small: The ways have no more than ``WINDOW`` rows in all, which are sorted.
    """

    ways: Sequence[keyset.Way]
    order: keyset.Order
    key: keyset.Key | None
    is_small: bool = False


@dataclass(frozen=True)
class Found(Generic[M]):
    """What a page's walk found.

    Attributes:
        rows: In the order of the walk.
        end: Where it goes on; ``None``: it is over.
        looked_through: Rows that were looked through, where the window ended it.
    """

    rows: list[M]
    end: keyset.Key | None
    looked_through: int | None = None


def read(queryset: QuerySet[M], walk: Walk, limit: int, *, narrows: bool) -> Found[M]:
    """The first rows of ``queryset`` along ``walk``.

    Args:
        queryset: Which of the rows on the ways are wanted.
        walk: The way there.
        limit: How many rows at most.
        narrows: Whether not every row on the ways is wanted, so that a window bounds the walk.
    """
    if walk.is_small:
        parts = [_sorted(queryset, walk, way, limit) for way in walk.ways]
    elif not narrows:
        parts = [
            keyset.compiled(_along(queryset, walk, way).values(*walk.order.columns)[: limit + 1])
            for way in walk.ways
        ]
    else:
        return _through_window(queryset, walk, limit)
    return _cut(list(keyset.first(queryset, parts, walk.order, limit + 1)), walk.order, limit)


def is_small(queryset: QuerySet[Any], ways: Sequence[keyset.Way]) -> bool:
    """Whether some ways have no more than ``WINDOW`` rows in all."""
    everything, left = _everything(queryset), WINDOW
    for way in ways:
        left -= everything.filter(way.whole)[: left + 1].count()
        if left < 0:
            return False
    return True


def key(row: Any, order: keyset.Order) -> keyset.Key:
    """The place of a row."""
    return keyset.Key(row.pk, row.sent_at if len(order.columns) > 1 else None)


def _cut(rows: list[M], order: keyset.Order, limit: int) -> Found[M]:
    shown = rows[:limit]
    return Found(shown, key(shown[-1], order) if len(rows) > limit else None)


def _everything(queryset: QuerySet[M]) -> QuerySet[M]:
    return queryset.model._default_manager.using(queryset.db)


def _along(queryset: QuerySet[Any], walk: Walk, way: keyset.Way) -> QuerySet[Any]:
    return keyset.along(_everything(queryset), way, walk.order, walk.key)


def _through_window(queryset: QuerySet[M], walk: Walk, limit: int) -> Found[M]:
    """The rows of a window, of which each way has its share.

    Rows that come or go meanwhile move the window's end. It is looked for before and after, and
    the nearer one stands: what lies between the two comes with the next page.
    """
    share = max(1, WINDOW // max(1, len(walk.ways)))
    end_of = _end_of(queryset, walk, share)
    before = end_of()
    parts = []
    outer: dict[Any, keyset.Statement | None] = {}
    for way in walk.ways:
        window = _along(queryset, walk, way)
        # In the window's own words, so that PostgreSQL sees that it is sorted.
        order = window.query.order_by
        if order not in outer:
            outer[order] = _compiled(queryset.order_by(*order), walk.order, limit)
        parts.append(_fenced(outer[order], window[:share], walk.order))
    rows = list(keyset.first(queryset, parts, walk.order, limit + 1))
    if len(rows) > limit and len(walk.ways) == 1:
        return _cut(rows, walk.order, limit)
    ends = [end for end in (before, end_of()) if end is not None]
    if not ends:
        return _cut(rows, walk.order, limit)
    end, looked_through = min(ends, key=lambda one: walk.order.rank(one[0]))
    last = walk.order.rank(end)
    rows = [row for row in rows if walk.order.rank(key(row, walk.order)) <= last]
    return _cut(rows, walk.order, limit) if len(rows) > limit else Found(rows, end, looked_through)


def _sorted(
    queryset: QuerySet[Any], walk: Walk, way: keyset.Way, limit: int
) -> keyset.Statement | None:
    """The statement that sorts all rows of a way."""
    first = walk.order.columns[0]
    listed = queryset.filter(walk.order.beyond(walk.key), **{f"{first}__isnull": False})
    window = _everything(queryset).filter(way.whole)[:WINDOW]
    outer = _compiled(listed.order_by(*walk.order.by()), walk.order, limit)
    return _fenced(outer, window, walk.order)


def _compiled(narrowed: QuerySet[Any], order: keyset.Order, limit: int) -> keyset.Statement | None:
    return keyset.compiled(narrowed.values(*order.columns)[: limit + 1])


def _fenced(
    outer: keyset.Statement | None, window: QuerySet[Any], order: keyset.Order
) -> keyset.Statement | None:
    """The statement that narrows the rows of a window instead of those of the table.

    The limit of the window is a fence: no planner goes another way for the sake of what narrows.
    """
    if outer is None:
        return None
    quote = connections[window.db].ops.quote_name
    table = quote(window.model._meta.db_table)
    used = re.findall(re.escape(f"{table}.") + quote(r"(\w+)"), outer[0])
    inner = keyset.compiled(window.values(*sorted({"id", *order.columns, *used})))
    if inner is None:
        return None
    head, tail = outer[0].split(f" FROM {table}", 1)
    return f"{head} FROM ({inner[0]}) {table}{tail}", [*inner[1], *outer[1]]


def _end_of(queryset: QuerySet[Any], walk: Walk, share: int) -> Callable[[], _End | None]:
    """Finds the end of a window as it is when it is called; ``None`` where the walk ends in it."""
    if len(walk.ways) == 1:
        rows = _along(queryset, walk, walk.ways[0]).values_list(*walk.order.columns)
        return lambda: _end_of_one(rows, share)
    nearest = "MIN" if walk.order.down else "MAX"
    counts: list[str] = []
    params: list[Any] = []
    for way in walk.ways:
        part = keyset.compiled(_along(queryset, walk, way).values("id")[: share + 1])
        if part is not None:
            counts.append(f"SELECT COUNT(*), {nearest}(id) FROM ({part[0]}) part_{len(counts)}")  # noqa: S608 - compiled by Django
            params += part[1]
    statement = (" UNION ALL ".join(counts), params)
    return lambda: _end_of_several(queryset, walk, share, statement)


def _end_of_one(rows: QuerySet[Any, Any], share: int) -> _End | None:
    last = list(rows[share - 1 : share + 1])
    return (keyset.Key(*reversed(last[0])), share) if len(last) > 1 else None


def _end_of_several(
    queryset: QuerySet[Any], walk: Walk, share: int, statement: keyset.Statement
) -> _End | None:
    if not statement[0]:
        return None
    with connections[queryset.db].cursor() as cursor:
        cursor.execute(*statement)
        found = cursor.fetchall()
    # The first row of each way that is not looked through any more.
    beyond = [keyset.Key(row_id) for count, row_id in found if count > share]
    if not beyond:
        return None
    first = min(beyond, key=walk.order.rank)
    return walk.order.just_before(first), sum(min(count, share) for count, _ in found)
