"""Which index a filter's list reads along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Final

from django.db import connections

from z4j_django import states
from z4j_django.exceptions import FilterError
from z4j_django.queries import lookups, pages
from z4j_django.queries.cursors import Span
from z4j_django.queries.filter import conditions
from z4j_django.queries.filter.conditions import Tasks
from z4j_django.queries.filter.terms import FEW, Term
from z4j_django.queries.filter.values import Exact, Prefix, Value, hull, text
from z4j_django.queries.index_ranges import IndexRange

_SUCH_AS: Final = f"at most {pages.WINDOW:,}, such as state:STARTED or group:…"
#: The states of which the index ``z4j_task_failed`` has the tasks, by name.
_BY_NAME: Final = frozenset({states.FAILURE, states.REJECTED, states.REVOKED})


@dataclass(frozen=True)
class Choice:
    """What leads through a list.

    Attributes:
        ranges: Where its rows lie.
        terms: The terms of which these ranges have no others.
        is_small: The ranges have few rows, in another order than the list's.
    """

    ranges: list[IndexRange]
    terms: tuple[Term, ...] = ()
    is_small: bool = False

    def rest(self, terms: Sequence[Term], queryset: Tasks) -> list[Term]:
        """Those of the filter's terms that have to narrow what lies in the ranges."""
        left = (one for one in terms if one not in self.terms)
        return [one for one in left if not _is_of_every_task(one, queryset)]


def candidates(terms: Sequence[Term]) -> list[Term]:
    """The terms that may lead, the one that promises most first."""
    ranked = [(rank, term) for term in terms if (rank := _rank(term)) is not None]
    return [term for _, term in sorted(ranked, key=lambda one: one[0])]


def choose(terms: Sequence[Term], queryset: Tasks, by: str = "id") -> Choice:
    """What leads through the tasks that ``terms`` find.

    Args:
        terms: The filter's.
        queryset: Where it will be used.
        by: The column by which the list is ordered.

    Raises:
        FilterError: If no index has this order, and there are too many tasks to sort them.
    """
    possible = candidates(terms)
    if by == "started_at":
        return _few(possible, queryset)
    if by == "sent_at":
        few = possible[0] if possible and _rank(possible[0]) in FEW else None
        ranges = _ranges(few, queryset) if few else None
        if few and ranges is not None and pages.is_small(queryset, ranges):
            return Choice(ranges, (few,), is_small=True)
        return _sent(terms)
    for term in possible:
        if term.name == "state" and (found := _failures(terms, queryset)) is not None:
            return found
        if (ranges := _ranges(term, queryset)) is not None:
            index = term.kind.index
            return Choice(ranges, (term,) if index and index.is_exact else ())
    return Choice([IndexRange()])


def _rank(term: Term) -> int | None:
    index = term.kind.index
    if index is None or (term.negated and not term.kind.every):
        return None
    if not all(map(_leads, term.wanted)):
        return None
    return index.rank(term) if callable(index.rank) else index.rank


def _leads(value: Value) -> bool:
    """Whether an index has the rows of ``value`` together; many have no text at all."""
    return not isinstance(value, Exact | Prefix) or bool(value.text)


def _ranges(term: Term, queryset: Tasks) -> list[IndexRange] | None:
    index = term.kind.index
    if index is None or index.ranges is None:
        return None
    return index.ranges(term.wanted, queryset)


def _is_of_every_task(term: Term, queryset: Tasks) -> bool:
    """Whether it is a term on the project that finds all there are, as where there is only one."""
    if term.name != "project" or term.negated:
        return False
    known = lookups.projects(queryset)
    is_all = len(known) < lookups.PROJECTS_LIMIT
    return is_all and set(known) <= set(map(text, term.values))


def _failures(terms: Sequence[Term], queryset: Tasks) -> Choice | None:
    """The failures of a name, where the database has an index of them."""
    if connections[queryset.db].vendor == "mysql":
        return None
    leading = {term.name: term for term in reversed(candidates(terms))}
    state, name = leading.get("state"), leading.get("name")
    if state is None or name is None:
        return None
    wanted = list(map(text, state.wanted))
    if not _BY_NAME.issuperset(wanted):
        return None
    names = conditions.texts("name", name.values, queryset)
    if names is None or len(names) * len(wanted) > conditions.VALUES_LIMIT:
        return None
    ranges = [
        IndexRange(column="name", value=one, within=(("state", failed),))
        for one in names
        for failed in wanted
    ]
    return Choice(ranges, (state, name))


def _few(possible: Sequence[Term], queryset: Tasks) -> Choice:
    """What leads to few tasks, which can be sorted."""
    for term in possible:
        ranges = _ranges(term, queryset)
        if ranges is not None and pages.is_small(queryset, ranges):
            index = term.kind.index
            return Choice(ranges, (term,) if index and index.is_exact else (), is_small=True)
    raise FilterError("started_at", 0, f"beside it a term that finds few tasks, {_SUCH_AS}")


def _sent(terms: Sequence[Term]) -> Choice:
    """The index on the sending, within the ranges asked for."""
    asked = [term for term in terms if term.name == "sent" and not term.negated]
    span = reduce(and_, (hull(term.values) for term in asked), Span())
    return Choice([IndexRange(span=span)], tuple(one for one in asked if len(one.values) == 1))
