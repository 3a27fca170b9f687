"""The filter over tasks: one grammar for the API, the admin's search box, commands and bulk.

``docs/reference/filters.md`` describes it. A filter is read from its text, or term by term; it
then gives pages of tasks, each at the cost of one walk along one index.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from z4j_django.exceptions import FilterError
from z4j_django.models import TaskRecord
from z4j_django.queries import conditions, grammar, keyset, leading, terms, windows
from z4j_django.queries.terms import TERMS, Kind, Term

__all__ = ["ORDERINGS", "TERMS", "Filter", "Kind", "Page", "parse", "term"]

#: The orders of a list. In the last two, only tasks whose sending is on record are listed.
ORDERINGS: Final = ("-id", "id", "-sent_at", "sent_at")


def parse(text: str, *, now: datetime | None = None) -> Filter:
    """The filter that ``text`` describes.

    Args:
        text: Its terms; none at all finds every task.
        now: From when ages are counted back; by default this moment.

    Raises:
        FilterError: If it can't be read.
    """
    now = now or timezone.now()
    return Filter(tuple(terms.read(word, now) for word in grammar.words(text)), now)


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
    return Filter((terms.read(grammar.word(name, value), now),), now)


@dataclass(frozen=True)
class Page:
    """Some tasks of a list.

    Attributes:
        rows: In the order asked for, whichever way the page was read.
        following: Where the next page begins; ``None``: there is none.
        preceding: Where the page before this one ends; ``None``: there is none.
        looked_through: How many rows were looked through, where that ended the page before it was
            full.
    """

    rows: list[TaskRecord]
    following: keyset.Key | None
    preceding: keyset.Key | None
    looked_through: int | None = None


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

    def unindexed(self) -> tuple[str, ...]:
        """Where no term's index leads: the terms that have none."""
        if leading.candidates(self.terms):
            return ()
        return tuple(
            str(one) for one in self.terms if one.name in TERMS and not TERMS[one.name].indexed
        )

    def order(self, asked: str = "") -> str:
        """The order of its list: the one that was asked for, or its own.

        Raises:
            FilterError: If there is no index for the one that was asked for.
        """
        if asked and asked not in ORDERINGS:
            raise FilterError(asked, 0, f"one of {', '.join(ORDERINGS)}")
        if asked:
            return asked
        first = next(iter(leading.candidates(self.terms)), None)
        return "-sent_at" if first is not None and first.name == "sent" else "-id"

    def matches(self, queryset: QuerySet[TaskRecord]) -> QuerySet[TaskRecord]:
        """Those of ``queryset`` that it finds, in no order; for rows that are few already."""
        return queryset.filter(*(conditions.condition(one, queryset) for one in self.terms))

    def page(
        self,
        queryset: QuerySet[TaskRecord],
        place: keyset.Place,
        limit: int,
        *,
        order: str = "",
    ) -> Page:
        """Some of the tasks that it finds.

        Args:
            queryset: Which tasks may be among them, and which of their columns are read.
            place: Where the page begins.
            limit: How many tasks at most.
            order: One of ``ORDERINGS``; by default the filter's own.

        Raises:
            FilterError: If there is no index for this order.
            ValueError: If ``place`` belongs to a list in another order.
        """
        order = self.order(order)
        by_sent = order.endswith("sent_at")
        backwards = place.after is not None
        direction = keyset.Order(
            down=order.startswith("-") != backwards,
            columns=("sent_at", "id") if by_sent else ("id",),
        )
        found = leading.lead(self.terms, queryset, by_sent=by_sent)
        rest = [
            one
            for one in self.terms
            if one not in found.terms and not conditions.is_of_every_task(one)
        ]
        narrows = bool(rest) or bool(queryset.query.where)
        narrowed = queryset.filter(*(conditions.condition(one, queryset) for one in rest))
        walk = windows.Walk(found.ways, direction, place.key, found.is_small)
        return _page(windows.read(narrowed, walk, limit, narrows=narrows), walk, backwards)


def _page(found: windows.Found[TaskRecord], walk: windows.Walk, backwards: bool) -> Page:
    rows = found.rows[::-1] if backwards else found.rows
    start = walk.key
    if start is not None:
        turned = walk.order.turned
        start = windows.key(found.rows[0], turned) if rows else turned.just_before(start)
    ends = (start, found.end) if backwards else (found.end, start)
    return Page(rows, *ends, found.looked_through)
