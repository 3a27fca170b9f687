"""Which index a filter's list reads along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Final

from django.db import connections
from django.db.models import F, Q, QuerySet

from z4j_django import states
from z4j_django.models import TaskRecord
from z4j_django.queries import conditions, keyset, lookups, shapes, tasks, windows
from z4j_django.queries.terms import FREE, TERMS, Term

Tasks = QuerySet[TaskRecord]

#: Values that a term leads along, at most.
VALUES_LIMIT: Final = 50

#: The terms that find few rows, those that find the fewest first.
FEW: Final = ("id", "group", "root", "parent", "retry_of", "schedule")
#: The states whose tasks have an exception.
WITH_ERROR: Final = (states.FAILURE, states.RETRY, states.REJECTED)
#: The states of which the index ``z4j_task_failed`` has the tasks, by name.
_BY_NAME: Final = frozenset({states.FAILURE, states.REJECTED, states.REVOKED})

_RANKS: Final = {name: rank for rank, name in enumerate(FEW)} | {
    "unfinished": 6,
    "sent until": 7,
    "state": 8,
    "error": 9,
    "name": 10,
    "worker": 11,
    "queue": 12,
    FREE: 13,
    "sent": 14,
}


@dataclass(frozen=True)
class Lead:
    """What leads through a list.

    Attributes:
        ways: Along which indexes.
        terms: The terms that need no narrowing any more.
        is_small: The ways are few rows, in another order than the list's.
    """

    ways: list[keyset.Way]
    terms: tuple[Term, ...] = ()
    is_small: bool = False


def candidates(terms: Sequence[Term]) -> list[Term]:
    """The terms that may lead, the one that promises most first."""
    ranked = [(rank, term) for term in terms if (rank := _rank(term, terms)) is not None]
    return [term for _, term in sorted(ranked, key=lambda one: one[0])]


def lead(terms: Sequence[Term], queryset: Tasks, *, by_sent: bool) -> Lead:
    """What leads through the tasks that ``terms`` find.

    Args:
        terms: The filter's.
        queryset: Where it will be used.
        by_sent: Whether the list is in the order in which tasks were sent.
    """
    possible = candidates(terms)
    if by_sent:
        few = possible[0] if possible and possible[0].name in FEW else None
        ways = _ways(few, queryset) if few else None
        if few and ways is not None and windows.is_small(queryset, ways):
            return Lead(ways, (few,), is_small=True)
        return _sent(terms)
    for term in possible:
        if term.name == "sent":
            continue
        if term.name == "state" and (found := _failures(terms, queryset)) is not None:
            return found
        if (ways := _ways(term, queryset)) is not None:
            # A task has its error in one of several states.
            return Lead(ways, () if term.name == "error" else (term,))
    return Lead([keyset.Way()])


def _rank(term: Term, terms: Sequence[Term]) -> int | None:
    if term.name == "state":
        wanted = states_of(term)
        if states.SUCCESS in wanted:
            return None
        return _RANKS["unfinished" if wanted <= states.UNFINISHED else "state"]
    if term.negated or not all(map(_leads, term.values)):
        return None
    if term.name == "sent":
        until = any(
            _hull(one).high is not None for one in terms if one.name == "sent" and not one.negated
        )
        return _RANKS["sent until" if until else "sent"]
    return _RANKS.get(term.name)


def _leads(value: shapes.Value) -> bool:
    """Whether an index has the rows of ``value`` together; many have no text at all."""
    return not isinstance(value, shapes.Exact | shapes.Prefix) or bool(value.text)


def states_of(term: Term) -> frozenset[str]:
    """The states that a term on the state leaves."""
    named = frozenset(value.text for value in term.values if isinstance(value, shapes.Exact))
    return frozenset(states.ALL) - named if term.negated else named


def _ways(term: Term, queryset: Tasks) -> list[keyset.Way] | None:
    """The ways of a term; ``None`` where it finds too much to lead."""
    if term.name == FREE:
        return _free(term, queryset)
    column = TERMS[term.name].column
    if term.name == "state":
        return _along("state", sorted(states_of(term)))
    if term.name == "error":
        return _along("state", WITH_ERROR)
    values = _values(term)
    if values is None:
        return None
    if term.name == "id":
        return [_by_id(values)]
    if term.name == "root":
        # The index has no task that is its own root, as most are.
        others = ~Q(root_id="") & ~Q(root_id=F("task_id"))
        return [_by_id(values), *(keyset.Way(others, "root_id", value) for value in values)]
    if term.name == "group":
        # Its index is in the order of the members.
        return [keyset.Way(Q(group_id__in=values), is_few=True)]
    return _along(column, values)


def _along(column: str, values: Sequence[str]) -> list[keyset.Way]:
    return [keyset.Way(column=column, value=value) for value in values]


def _by_id(values: Sequence[str]) -> keyset.Way:
    # The index on task ids begins with the project.
    known = Q(project__in=lookups.projects(TaskRecord), task_id__in=values)
    return keyset.Way(known, is_few=True)


def _values(term: Term) -> list[str] | None:
    """The values on record that a term names; ``None`` where they are too many."""
    column = TERMS[term.name].column
    found: dict[str, None] = {}
    for value in term.values:
        if isinstance(value, shapes.Exact):
            found[value.text] = None
        elif isinstance(value, shapes.Prefix):
            known = lookups.distinct_values(TaskRecord, column, VALUES_LIMIT + 1, value.text)
            found |= dict.fromkeys(known)
    return list(found) if len(found) <= VALUES_LIMIT else None


def _free(term: Term, queryset: Tasks) -> list[keyset.Way] | None:
    (value,) = term.values
    assert isinstance(value, shapes.Exact)  # noqa: S101 - what such a term holds
    found = tasks.ways(queryset, value.text)
    if len(found) > tasks.MATCHING_NAMES_LIMIT:
        return None
    # Ids of a project's own making may have one beginning.
    if tasks.is_prefix(value.text) and not windows.is_small(queryset, found[:1]):
        return None
    return found


def _failures(terms: Sequence[Term], queryset: Tasks) -> Lead | None:
    """The failures of a name, where the database has an index of them."""
    if connections[queryset.db].vendor == "mysql":
        return None
    state = next((one for one in candidates(terms) if one.name == "state"), None)
    name = next((one for one in candidates(terms) if one.name == "name"), None)
    if state is None or name is None or not states_of(state) <= _BY_NAME:
        return None
    values = _values(name)
    if values is None or len(values) * len(states_of(state)) > VALUES_LIMIT:
        return None
    ways = [
        keyset.Way(column="name", value=value, within=(("state", wanted),))
        for value in values
        for wanted in sorted(states_of(state))
    ]
    return Lead(ways, (state, name))


def _sent(terms: Sequence[Term]) -> Lead:
    """The index on the sending, within the ranges asked for."""
    asked = [term for term in terms if term.name == "sent" and not term.negated]
    span = reduce(and_, map(_hull, asked), keyset.Span())
    return Lead([keyset.Way(span=span)], tuple(term for term in asked if len(term.values) == 1))


def _hull(term: Term) -> keyset.Span:
    """The span in which all values of a term on the sending lie."""
    spans = [conditions.span(one) for one in term.values if isinstance(one, shapes.Range)]
    if len(spans) == 1:
        return spans[0]
    lows = [one.low for one in spans if one.low is not None]
    highs = [one.high for one in spans if one.high is not None]
    return keyset.Span(
        min(lows) if len(lows) == len(spans) else None,
        max(highs) if len(highs) == len(spans) else None,
    )
