"""The filter over tasks: one grammar for the API, the admin's search box, commands and bulk.

``docs/reference/filters.md`` describes it. A filter is read from its text, or term by term; it
then gives pages of tasks, each at the cost of reading along one index.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from z4j_django.exceptions import FilterError
from z4j_django.models import TaskRecord
from z4j_django.queries import pages, status
from z4j_django.queries.cursors import Cursor, Key, Order
from z4j_django.queries.filter import index_choice, reading, terms, words
from z4j_django.queries.filter.terms import TERMS, Kind, Term
from z4j_django.queries.index_ranges import IndexRange
from z4j_django.queries.pages import Page, Pages

__all__ = ["ORDERINGS", "SORTINGS", "TERMS", "Filter", "Kind", "parse", "term"]

#: The orders of a list. In the last two, only tasks whose sending is on record are listed.
ORDERINGS: Final = ("-id", "id", "-sent_at", "sent_at")
#: Orders for lists of few tasks, which are sorted; only those that have started are listed.
SORTINGS: Final = ("started_at", "-started_at")

#: Terms that say which tasks are meant, so that they find our own ones too.
_NAMING: Final = frozenset(
    {terms.FREE, "name", "id", "group", "root", "parent", "retry_of", "trace"}
)


def parse(text: str, *, now: datetime | None = None) -> Filter:
    """The filter that ``text`` describes.

    Args:
        text: Its terms; none at all finds every task.
        now: From when ages are counted back; by default this moment.

    Raises:
        FilterError: If it can't be read.
    """
    now = now or timezone.now()
    return Filter(tuple(reading.read(word, now) for word in words.words(text)), now)


def term(name: str, value: str, *, now: datetime | None = None) -> Filter:
    """The filter of a single term, which comes as a name and a value.

    Args:
        name: What stands before the colon.
        value: What stands after it; white space needs no quotes here.
        now: From when ages are counted back; by default this moment.

    Raises:
        FilterError: If it can't be read.
    """
    now = now or timezone.now()
    return Filter((reading.read(words.word(name, value), now),), now)


@dataclass(frozen=True)
class Filter:
    """Terms of which all have to hold.

    Attributes:
        terms: The terms.
        now: The moment from which their ages were counted back.
    """

    terms: tuple[Term, ...] = ()
    now: datetime = field(default_factory=timezone.now)

    def __and__(self, other: Filter) -> Filter:
        return replace(self, terms=tuple(dict.fromkeys((*self.terms, *other.terms))))

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    @property
    def is_empty(self) -> bool:
        """Whether it finds every task."""
        return not self.terms

    @property
    def shows_internal(self) -> bool:
        """Whether it asks for tasks of our own; else it leaves them out."""
        return any(map(_asks_for_internal, self.terms))

    def unindexed(self) -> tuple[str, ...]:
        """Where no term's index leads: the terms that have none."""
        if index_choice.candidates(self.terms):
            return ()
        return tuple(str(one) for one in self.terms if not one.indexed)

    def order(self, asked: str = "") -> str:
        """The order of its list: the one that was asked for, or its own.

        Raises:
            FilterError: If there is no index for the one that was asked for.
        """
        known = (*ORDERINGS, *SORTINGS)
        if asked and asked not in known:
            raise FilterError(asked, 0, f"one of {', '.join(known)}")
        if asked:
            return asked
        first = next(iter(index_choice.candidates(self.terms)), None)
        return "-sent_at" if first is not None and first.name == "sent" else "-id"

    def matches(self, queryset: QuerySet[TaskRecord]) -> QuerySet[TaskRecord]:
        """Those of ``queryset`` that it finds, in no order; for rows that are few already."""
        found = queryset.filter(*(one.condition(queryset) for one in self.terms))
        return found if self.shows_internal else found.filter(status.VISIBLE)

    def page(
        self, queryset: QuerySet[TaskRecord], cursor: Cursor, limit: int, *, order: str = ""
    ) -> Page[TaskRecord]:
        """Some of the tasks that it finds.

        Args:
            queryset: Which tasks may be among them, and which of their columns are read.
            cursor: Where the page begins.
            limit: How many tasks at most.
            order: One of ``ORDERINGS`` or ``SORTINGS``; by default the filter's own.

        Raises:
            FilterError: If there is no index for this order, or it finds too many to be sorted.
            ValueError: If ``cursor`` belongs to a list in another order.
        """
        by = Order.of(self.order(order))
        narrowed, ranges, is_small = self._along(queryset, by)
        return pages.read(narrowed, cursor, limit, ranges, by, is_small=is_small)

    def keys(
        self, queryset: QuerySet[TaskRecord], cursor: Cursor, limit: int, window: int
    ) -> Page[Key]:
        """The keys of the first tasks that it finds, in its own order.

        Args:
            queryset: Which tasks may be among them.
            cursor: Where they begin.
            limit: How many at most.
            window: Tasks that are looked through, at most.
        """
        by = Order.of(self.order())
        narrowed, ranges, _ = self._along(queryset, by)
        return pages.keys(narrowed, cursor, limit, ranges, by, window)

    def _along(
        self, queryset: QuerySet[TaskRecord], by: Order
    ) -> tuple[QuerySet[TaskRecord], list[IndexRange], bool]:
        """What narrows the rows of which index ranges, and whether these are to be sorted."""
        found = index_choice.choose(self.terms, queryset, by.column)
        narrowing = (one.condition(queryset) for one in found.rest(self.terms, queryset))
        narrowed, ranges = queryset.filter(*narrowing), found.ranges
        if not self.shows_internal and narrowed.query.where:
            narrowed = narrowed.filter(status.VISIBLE)
        elif not self.shows_internal:
            # They are few: no window has to be laid for their sake.
            ranges = [replace(one, condition=one.condition & status.VISIBLE) for one in ranges]
        return narrowed, ranges, found.is_small

    def pages(
        self,
        queryset: QuerySet[TaskRecord],
        limit: int,
        size: int,
        *,
        order: str = "",
        cursor: Cursor = Cursor(),  # noqa: B008 - frozen
    ) -> Pages[TaskRecord]:
        """One page after the other, of ``size`` tasks at most, and of ``limit`` in all."""
        return Pages(partial(self.page, queryset, order=order), limit, size, cursor)


def _asks_for_internal(term: Term) -> bool:
    if term.negated:
        return False
    return term.name in _NAMING or (term.name == "is" and "internal" in map(str, term.values))
