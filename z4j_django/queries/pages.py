"""The pages of a list: each reads along index ranges from a cursor on, whatever the list is of.

A page whose conditions narrow the rows of its ranges might look through all of them and find
nothing. So it looks through a window: the next ``WINDOW`` rows, of which each range has its share.
It then ends where the window does, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from django.db import connections
from django.db.models import Model, QuerySet

from z4j_django.queries import index_ranges
from z4j_django.queries.cursors import Cursor, Key, Order
from z4j_django.queries.index_ranges import IndexRange, Statement

M = TypeVar("M", bound=Model)
R = TypeVar("R")

#: The last place of a window, and how many rows are in it.
_End: TypeAlias = tuple[Key, int]

#: Rows that a page looks through, at most.
WINDOW: Final = 5000
#: Rows that are looked through for pages one after the other, at most.
EXAMINED_LIMIT: Final = 1_000_000


@dataclass(frozen=True)
class Page(Generic[R]):
    """Some rows of a list.

    Attributes:
        rows: In the order of the list, whichever way the page was read.
        following: Where the next page begins; ``None``: there is none.
        preceding: Where the page before this one ends; ``None``: there is none.
        looked_through: How many rows were looked through, where that ended the page before it was
            full.
    """

    rows: list[R]
    following: Key | None = None
    preceding: Key | None = None
    looked_through: int | None = None


def read(
    queryset: QuerySet[M],
    cursor: Cursor,
    limit: int,
    ranges: Sequence[IndexRange] = (IndexRange(),),
    order: Order = Order(),  # noqa: B008 - frozen
    *,
    is_small: bool = False,
) -> Page[M]:
    """A page of a list.

    Args:
        queryset: Which of the rows in the ranges are wanted, in no order.
        cursor: Where the page begins.
        limit: How many rows at most.
        ranges: The index ranges that have the rows; by default the whole primary key.
        order: The order of the list; by default the newest first.
        is_small: The ranges have no more than ``WINDOW`` rows in all, which are sorted.

    Raises:
        ValueError: If ``cursor`` belongs to a list in another order.
    """
    backwards = cursor.after is not None
    walk = _Walk(queryset, ranges, order.turned if backwards else order, cursor.key, limit)
    found = walk.sorted() if is_small else walk.read()
    rows, start = found.rows, cursor.key
    if start is not None:
        # From an empty page one comes back to beside the row that it was to begin with.
        start = walk.order.key(rows[0]) if rows else walk.order.turned.just_before(start)
    ends = (start, found.following) if backwards else (found.following, start)
    return Page(rows[::-1] if backwards else rows, *ends, found.looked_through)


def keys(
    queryset: QuerySet[M],
    cursor: Cursor,
    limit: int,
    ranges: Sequence[IndexRange],
    order: Order,
    window: int,
) -> Page[Key]:
    """The keys of the rows of a page, in one or two queries, without the rest of the rows.

    Args:
        queryset: Which of the rows in the ranges are wanted, in no order.
        cursor: Where the page begins; it is read downwards.
        limit: How many rows at most.
        ranges: The index ranges that have the rows.
        order: The order of the list.
        window: Rows that are looked through, at most.
    """
    return _Walk(queryset, ranges, order, cursor.key, limit, window).keys()


def is_small(queryset: QuerySet[Any], ranges: Sequence[IndexRange]) -> bool:
    """Whether some ranges have no more than ``WINDOW`` rows in all."""
    everything, left = _everything(queryset), WINDOW
    for one in ranges:
        left -= everything.filter(one.whole)[: left + 1].count()
        if left < 0:
            return False
    return True


class Pages(Generic[M]):
    """The pages of a list, one after the other; those that they look through are limited.

    Args:
        read: Reads the page at a cursor with a number of rows at most.
        limit: How many rows of all pages, at most.
        size: How many of one.
        cursor: Where the first one begins.

    Attributes:
        more: Whether there are, or may be, rows beyond those that were read.
        examined: How many rows were looked through for pages that did not get full.
        gave_up: Whether that was too many, so that the rest was not looked for.
    """

    def __init__(
        self,
        read: Callable[[Cursor, int], Page[M]],
        limit: int,
        size: int,
        cursor: Cursor = Cursor(),  # noqa: B008 - frozen
    ) -> None:
        self._read = read
        self._left = limit
        self._size = size
        self._cursor = cursor
        self.more = False
        self.examined = 0
        self.gave_up = False

    def __iter__(self) -> Iterator[list[M]]:
        while self._left:
            page = self._read(self._cursor, min(self._size, self._left))
            self._left -= len(page.rows)
            self.examined += page.looked_through or 0
            self.more = page.following is not None
            self.gave_up = self.more and self._left > 0 and self.examined >= EXAMINED_LIMIT
            yield page.rows
            if not self.more or self.gave_up:
                return
            self._cursor = Cursor(before=page.following)


def _everything(queryset: QuerySet[M]) -> QuerySet[M]:
    return queryset.model._default_manager.using(queryset.db)


@dataclass(frozen=True)
class _Walk(Generic[M]):
    """The rows of some index ranges from a key on, in one direction, up to a limit."""

    queryset: QuerySet[M]
    ranges: Sequence[IndexRange]
    order: Order
    key: Key | None
    limit: int
    window: int = 0

    def keys(self) -> Page[Key]:
        """The keys of the first rows that are wanted."""
        parts: Iterable[Statement | None]
        end = None
        if self.queryset.query.where:
            share = max(1, (self.window or WINDOW) // max(1, len(self.ranges)))
            # Its end stands, though rows may come meanwhile: it may only have grown nearer.
            end, parts = self._end_of(share)(), self._narrowed(share)
        else:
            parts = [self._compiled(self._rows(self.queryset, one)) for one in self.ranges]
        found = index_ranges.first_keys(self.queryset, parts, self.order, self.limit + 1)
        if end is not None:
            last = self.order.rank(end[0])
            found = [key for key in found if self.order.rank(key) <= last]
        if len(found) > self.limit:
            return Page(found[: self.limit], found[self.limit - 1])
        return Page(found, *((end[0], None, end[1]) if end else ()))

    def read(self) -> Page[M]:
        """The first rows that are wanted."""
        if self.queryset.query.where:
            return self._through_window()
        if len(self.ranges) == 1:
            rows = self._rows(self.queryset, self.ranges[0])
            return self._cut(list(index_ranges.with_keys(rows, self.order)[: self.limit + 1]))
        everything = _everything(self.queryset)
        return self._first([self._compiled(self._rows(everything, one)) for one in self.ranges])

    def sorted(self) -> Page[M]:
        """The same where the ranges have few rows, in another order."""
        listed = self.queryset.filter(
            self.order.beyond(self.key), **{f"{self.order.column}__isnull": False}
        )
        outer = self._compiled(listed.order_by(*self.order.by()))
        everything = _everything(self.queryset)
        windows = [everything.filter(one.whole)[:WINDOW] for one in self.ranges]
        return self._first([self._fenced(outer, one) for one in windows])

    def _first(self, parts: Iterable[Statement | None]) -> Page[M]:
        return self._cut(list(self._merged(parts)))

    def _merged(self, parts: Iterable[Statement | None]) -> QuerySet[M]:
        return index_ranges.first(self.queryset, parts, self.order, self.limit + 1)

    def _cut(self, rows: list[M]) -> Page[M]:
        shown = rows[: self.limit]
        return Page(shown, self.order.key(shown[-1]) if len(rows) > self.limit else None)

    def _rows(self, queryset: QuerySet[M], part: IndexRange) -> QuerySet[M]:
        return index_ranges.rows(queryset, part, self.order, self.key)

    def _compiled(self, rows: QuerySet[M]) -> Statement | None:
        return index_ranges.compiled(rows.values(*self.order.columns)[: self.limit + 1])

    def _through_window(self) -> Page[M]:
        """The wanted rows of a window.

        Rows that come or go meanwhile move the window's end. It is looked for before and after,
        and the nearer one stands: what lies between the two comes with the next page.
        """
        share = max(1, (self.window or WINDOW) // max(1, len(self.ranges)))
        end_of = self._end_of(share)
        before = end_of()
        rows = list(self._merged(self._narrowed(share)))
        if len(rows) > self.limit and len(self.ranges) == 1:
            return self._cut(rows)
        ends = [end for end in (before, end_of()) if end is not None]
        if not ends:
            return self._cut(rows)
        end, looked_through = min(ends, key=lambda one: self.order.rank(one[0]))
        last = self.order.rank(end)
        rows = [row for row in rows if self.order.rank(self.order.key(row)) <= last]
        return self._cut(rows) if len(rows) > self.limit else Page(rows, end, None, looked_through)

    def _narrowed(self, share: int) -> Iterator[Statement | None]:
        """For each range the statement that finds the wanted rows of its share of the window."""
        outer: dict[Any, Statement | None] = {}
        for one in self.ranges:
            window = self._rows(_everything(self.queryset), one)
            # In the window's own words, so that PostgreSQL sees that it is sorted.
            order = window.query.order_by
            if order not in outer:
                outer[order] = self._compiled(self.queryset.order_by(*order))
            yield self._fenced(outer[order], window[:share])

    def _fenced(self, outer: Statement | None, window: QuerySet[M]) -> Statement | None:
        """The statement that narrows the rows of a window instead of those of the table.

        The limit of the window is a fence: no planner goes another way for the sake of what
        narrows.
        """
        if outer is None:
            return None
        quote = connections[window.db].ops.quote_name
        table = quote(window.model._meta.db_table)
        used = re.findall(re.escape(f"{table}.") + quote(r"(\w+)"), outer[0])
        inner = index_ranges.compiled(window.values(*sorted({"id", *self.order.columns, *used})))
        if inner is None:
            return None
        head, tail = outer[0].split(f" FROM {table}", 1)
        return f"{head} FROM ({inner[0]}) {table}{tail}", [*inner[1], *outer[1]]

    def _end_of(self, share: int) -> Callable[[], _End | None]:
        """Finds the window's end as it is when it is called; ``None`` where the walk ends in it."""
        everything = _everything(self.queryset)
        if len(self.ranges) == 1:
            rows = self._rows(everything, self.ranges[0]).values_list(*self.order.columns)
            return lambda: _end_of_one(rows, share)
        nearest = "MIN" if self.order.down else "MAX"
        counts: list[str] = []
        params: list[Any] = []
        for one in self.ranges:
            part = index_ranges.compiled(self._rows(everything, one).values("id")[: share + 1])
            if part is not None:
                counts.append(f"SELECT COUNT(*), {nearest}(id) FROM ({part[0]}) part_{len(counts)}")  # noqa: S608 - compiled by Django
                params += part[1]
        statement = " UNION ALL ".join(counts)
        return lambda: self._end_of_several(share, statement, params)

    def _end_of_several(self, share: int, statement: str, params: Sequence[Any]) -> _End | None:
        if not statement:
            return None
        with connections[self.queryset.db].cursor() as cursor:
            cursor.execute(statement, params)
            found = cursor.fetchall()
        # The first row of each range that is not looked through any more.
        beyond = [Key(row_id) for count, row_id in found if count > share]
        if not beyond:
            return None
        first = min(beyond, key=self.order.rank)
        return self.order.just_before(first), sum(min(count, share) for count, _ in found)


def _end_of_one(rows: QuerySet[Any, Any], share: int) -> _End | None:
    last = list(rows[share - 1 : share + 1])
    return (Key(*reversed(last[0])), share) if len(last) > 1 else None
