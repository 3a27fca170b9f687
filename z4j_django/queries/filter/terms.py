"""The terms of a filter: which there are, what is to be said of each, and how each is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from django.db.models import Q

from z4j_django import states
from z4j_django.queries.filter import conditions, json_columns, offers, paths, values, words
from z4j_django.queries.filter.conditions import Condition, Ranges, Tasks, along
from z4j_django.queries.filter.offers import Offers
from z4j_django.queries.filter.values import Exact, Json, Value, hull
from z4j_django.queries.status import STATUSES

#: The name of a free word.
FREE: Final = ""

#: Ranks of indexes that find few rows.
FEW: Final = range(60)


@dataclass(frozen=True, eq=False)
class Index:
    """How an index finds the tasks of a term.

    Attributes:
        rank: Of several terms that with the least rank leads through a list; ``None``: it leads
            through none. It may depend on the term's values.
        ranges: Where the tasks lie in the order of their ids; ``None``: in another order.
        is_exact: Nothing else lies there.
        is_range: Each value is a range of an index by itself, so that its tasks can be counted;
            the index on task ids begins with the project.
        has_statistics: The database keeps statistics of the values that can be believed.
    """

    rank: int | Callable[[Term], int | None] | None = None
    ranges: Ranges | None = None
    is_exact: bool = True
    is_range: bool = True
    has_statistics: bool = False


@dataclass(frozen=True, eq=False)
class Kind:
    """What a term may be: all that there is to say of it.

    Attributes:
        name: Its name. Those of a column in JSON go on with a dot and a path.
        shape: What its values look like: ``state``, ``status``, ``pattern`` (a text, with ``*`` at
            its end or not), ``text``, ``moment``, ``duration``, ``integer`` or ``json``.
        help: What it finds.
        example: A whole term.
        index: The index that finds its tasks; ``None``: there is none.
        field: The column that it is about; empty: it has the term's name.
        condition: What a value finds; ``None``: tasks with the value in the column.
        suggestions: The values on offer that begin with a text; ``None``: there are none.
        is_parameter: Whether the address of the admin's list may name it besides the search.
        every: All values that there are, where these are known: what is negated means the others.
    """

    name: str
    shape: str
    help: str
    example: str
    index: Index | None = None
    field: str = ""
    condition: Condition | None = None
    suggestions: Offers | None = None
    is_parameter: bool = False
    every: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """The column that it is about."""
        return self.field or self.name

    @property
    def indexed(self) -> bool:
        """Whether there is an index that finds its tasks."""
        return self.index is not None


@dataclass(frozen=True)
class Term:
    """One condition: any of some values, or none of them.

    Attributes:
        kind: What it is.
        values: What is looked for.
        negated: Whether that is to be left out.
        path: Where in a column of JSON: places in lists, and keys.
    """

    kind: Kind
    values: tuple[Value, ...]
    negated: bool = False
    path: tuple[int | str, ...] = ()

    def __str__(self) -> str:
        sign = "-" if self.negated else ""
        if self.name == FREE:
            (value,) = self.values
            return sign + _free(value)
        name = ".".join((self.name, *map(self._step, range(len(self.path)))))
        return f"{sign}{name}:{','.join(map(str, self.values))}"

    def _step(self, position: int) -> str:
        step = self.path[position]
        if isinstance(step, int):
            return str(step)
        is_number = paths.is_place(step) and not (self.name == "kwargs" and position == 0)
        return words.quote(step) if is_number else words.shown(step, ".:")

    @property
    def name(self) -> str:
        """Its kind's; ``FREE`` for a free word."""
        return self.kind.name

    @property
    def indexed(self) -> bool:
        """Whether there is an index that finds its tasks."""
        if self.kind.shape == "status":
            return _rank_of_status(self) is not None
        return self.kind.indexed

    @property
    def wanted(self) -> tuple[Value, ...]:
        """The values that it leaves, where all that there are are known; else those it has."""
        if not self.kind.every:
            return self.values
        named = set(map(values.text, self.values))
        left = set(self.kind.every) - named if self.negated else named
        return tuple(map(Exact, sorted(left)))

    def condition(self, queryset: Tasks) -> Q:
        """The tasks that it finds, of which it finds all; for use in ``queryset``."""
        found = reduce(or_, (self._any(value, queryset) for value in self.values))
        return ~found if self.negated else found

    def _any(self, value: Value, queryset: Tasks) -> Q:
        if isinstance(value, Json):
            known = (value.text, *value.reads_as)
            return Q(json_columns.Holds(self.kind.column, self.path, known))
        if self.kind.condition is not None:
            return self.kind.condition(value, queryset)
        return conditions.has(self.kind.column, value, queryset)


def _rank_of_state(term: Term) -> int | None:
    """Most tasks have succeeded: these are met on the way through the newest."""
    wanted = set(map(values.text, term.wanted))
    if states.SUCCESS in wanted:
        return None
    return 60 if wanted <= states.UNFINISHED else 80


def _rank_of_status(term: Term) -> int | None:
    """What may be said of a task in any state is met on the way through the newest."""
    return 60 if all(STATUSES[values.text(one)].indexed for one in term.values) else None


def _rank_of_sent(term: Term) -> int:
    """A range without an end has all that is new."""
    return 140 if hull(term.values).high is None else 70


#: A free word, which is no term by name.
WORD: Final = Kind(
    FREE,
    "word",
    "tasks that a person may mean by it: by id, by the beginning of one, or by name",
    "charge",
    Index(130, conditions.by_word, is_range=False),
    condition=conditions.of_word,
)


def _by_column(rank: int, column: str, *, has_statistics: bool = False) -> Index:
    return Index(rank, along(column), has_statistics=has_statistics)


_KINDS: Final = (
    Kind(
        "state",
        "state",
        "tasks in this state",
        "state:FAILURE",
        Index(_rank_of_state, along("state"), has_statistics=True),
        suggestions=offers.among(*states.ALL),
        is_parameter=True,
        every=states.ALL,
    ),
    Kind(
        "is",
        "status",
        "tasks of which this is said beside their state",
        "is:expired",
        Index(_rank_of_status, conditions.by_status, is_exact=False, is_range=False),
        condition=conditions.of_status,
        suggestions=offers.among(*STATUSES),
        is_parameter=True,
    ),
    Kind(
        "name",
        "pattern",
        "tasks of this name",
        "name:shop.*",
        _by_column(100, "name", has_statistics=True),
        suggestions=offers.names,
        is_parameter=True,
    ),
    Kind(
        "queue",
        "pattern",
        "tasks of this queue",
        "queue:mail",
        _by_column(120, "queue", has_statistics=True),
        suggestions=offers.of_column("queue"),
        is_parameter=True,
    ),
    Kind(
        "worker",
        "pattern",
        "tasks that this worker took",
        "worker:w1@*",
        _by_column(110, "worker", has_statistics=True),
        suggestions=offers.workers,
        is_parameter=True,
    ),
    Kind(
        "id",
        "text",
        "the task with this id",
        "id:2f0c6d1e",
        Index(0, conditions.by_id, is_range=False),
        "task_id",
    ),
    Kind(
        "group",
        "text",
        "members of this group",
        "group:8a21",
        Index(10, conditions.in_group),
        "group_id",
    ),
    Kind(
        "root",
        "text",
        "this task, and all that came of it",
        "root:5d7e",
        Index(20, conditions.by_root, is_range=False),
        "root_id",
        conditions.of_root,
    ),
    Kind(
        "parent",
        "text",
        "what this task published",
        "parent:5d7e",
        _by_column(30, "parent_id"),
        "parent_id",
    ),
    Kind(
        "retry_of",
        "text",
        "what an operator made of this task again",
        "retry_of:2f0c",
        _by_column(40, "retry_of"),
    ),
    Kind(
        "schedule",
        "text",
        "tasks that this periodic task published",
        "schedule:nightly-report",
        _by_column(50, "schedule"),
        suggestions=offers.of_column("schedule"),
    ),
    Kind(
        "trace",
        "text",
        "tasks of this trace",
        "trace:4bf92f3577b34da6a3ce929d0e0e4736",
        _by_column(15, "trace_id"),
        "trace_id",
    ),
    Kind(
        "project",
        "text",
        "tasks of this project",
        "project:shop",
        Index(is_range=False),
        suggestions=offers.of_column("project"),
    ),
    Kind(
        "error",
        "pattern",
        "tasks whose exception's type has this name, or a class of this name within another; or "
        "that are of the error with this id",
        "error:TimeoutError",
        Index(90, conditions.by_failure, is_exact=False, is_range=False),
        "exception_type",
        conditions.of_error,
        offers.errors,
    ),
    Kind(
        "release",
        "text",
        "tasks whose state is the word of a process of this release",
        "release:2026.11.2",
        condition=conditions.of_release,
        suggestions=offers.releases,
    ),
    Kind(
        "sent",
        "moment",
        "when it was published first",
        "sent:>2h",
        Index(_rank_of_sent),
        "sent_at",
        suggestions=offers.AGES,
    ),
    Kind(
        "received",
        "moment",
        "when a worker took it last",
        "received:<10m",
        field="received_at",
        suggestions=offers.AGES,
    ),
    Kind(
        "started",
        "moment",
        "when it began last",
        "started:<1h",
        field="started_at",
        suggestions=offers.AGES,
    ),
    Kind(
        "finished",
        "moment",
        "when it ended",
        "finished:2026-11-01..2026-11-02",
        field="finished_at",
        suggestions=offers.AGES,
    ),
    Kind(
        "runtime",
        "duration",
        "how long its newest attempt ran, or has been running",
        "runtime:>5s",
        condition=conditions.of_runtime,
        suggestions=offers.among(">1s", ">10s", ">1m", ">10m", ">1h"),
    ),
    Kind("retries", "integer", "how often it was retried", "retries:>=2"),
    Kind("deliveries", "integer", "how often a worker took it", "deliveries:>1"),
    Kind("priority", "integer", "its priority", "priority:0..3"),
    Kind("args", "json", "a positional argument, by its place from 0", "args.0:7"),
    Kind("kwargs", "json", "a keyword argument, by its name", "kwargs.user_id:42"),
)

#: What ``error`` is where all of its values are ids of errors.
ERROR_ID: Final = Kind(
    "error",
    "text",
    "tasks that are of the error with this id",
    "error:0f1e2d3c4b5a6978",
    Index(35, conditions.along_errors),
    condition=conditions.of_error,
)

#: All terms, by name. A new one is one more entry.
TERMS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _KINDS}


def exactly(name: str, text: str) -> Term:
    """The term that a column has exactly the value ``text``."""
    return Term(TERMS[name], (Exact(text),))


def _free(value: Value) -> str:
    text = value.text if isinstance(value, Exact) else str(value)
    if text.startswith("-") or text.endswith("*"):
        return words.quote(text)
    return words.shown(text, ":")
