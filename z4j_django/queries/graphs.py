"""The whole workflow around a task: what published what, its groups, their bodies, the retries.

Tasks of one root belong together. So do the members of a group that was published outside of any
task, of which each is its own root; a chord's body and what feeds it; and a task and its retries.
All of it is read in rounds, each of which asks for everything that the one before has named.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from django.db import connections
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import RawSQL

from z4j_django import states
from z4j_django.agent import events
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import tasks

#: Tasks of one graph, and groups, at most.
LIMIT: Final = 1_000
#: Rounds, at most: where no root holds a workflow together, each finds the next chord around.
ROUNDS: Final = 12
#: Values that are asked for in one query. Of 200 and more, MySQL and MariaDB no longer count how
#: many rows they have, and may read the whole table for them.
_AT_ONCE: Final = LIMIT
_AT_ONCE_ON_MYSQL: Final = 190

EdgeKind = Literal["parent", "next", "member", "body", "retry"]

#: Spelled out, for PostgreSQL does not see for itself that a long list keeps to these rows.
_INDEXED: Final = {
    "root_id": ~Q(root_id="") & ~Q(root_id=F("task_id")),
    "group_id": ~Q(group_id=""),
    "retry_of": ~Q(retry_of=""),
}
#: The column that has each value but once, within a project.
_UNIQUE: Final[dict[type[Any], str]] = {TaskRecord: "task_id", GroupRecord: "group_id"}
#: What follows the column in its index.
_THEN: Final = {"root_id": "id", "group_id": "group_index", "retry_of": "id"}


@dataclass(frozen=True)
class Group:
    """A group or chord; ``record`` is None where none was kept.

    Attributes:
        body_id: The chord's body; empty where none is known.
        counts: How many of the graph's tasks that are its members stand in each state.
    """

    group_id: str
    record: GroupRecord | None
    body_id: str
    counts: list[tuple[str, int]]


@dataclass(frozen=True)
class Edge:
    """What leads from ``source`` to ``target``.

    Attributes:
        kind: ``parent``, from a task to one that it published; ``next``, from a step of a chain to
            one that waits for it, or never was sent; ``member``, from a group to a task
            of it; ``body``, from a chord to the task that takes its results; ``retry``, from a
            task to one that retries it.
    """

    kind: EdgeKind
    source: str
    target: str


@dataclass(frozen=True)
class Graph:
    """A workflow; ``more`` says that there is more of it."""

    #: Of the task or group that was asked for; empty for a group that no task published.
    root_id: str
    #: Those on record by age, then those that are only named.
    nodes: list[tasks.Relative]
    groups: list[Group]
    edges: list[Edge]
    more: bool


def around(record: TaskRecord | GroupRecord) -> Graph:
    """The workflow that a task or a group is part of, which is at hand."""
    if isinstance(record, GroupRecord):
        search, root_id = _Search(record.project, group_id=record.group_id), record.root_id
    else:
        search = _Search(record.project, task_id=record.task_id)
        root_id = record.root_id or record.task_id
    search.know(record)
    search.run()
    found = _graph(search, root_id)
    assert found is not None  # noqa: S101 - at least this one
    return found


def of_task(project: str, task_id: str) -> Graph | None:
    """The workflow that a task is part of, or the root of; None where nothing of it is on record.

    Args:
        project: Whose task.
        task_id: Its id, or one that the tasks on record name as their root.
    """
    search = _Search(project, task_id=task_id)
    search.run()
    own = search.tasks.get(task_id)
    return _graph(search, own.root_id or task_id if own is not None else task_id)


def of_group(project: str, group_id: str) -> Graph | None:
    """The workflow that a group is part of; None where nothing of it is on record.

    Args:
        project: Whose group.
        group_id: Its id.
    """
    search = _Search(project, group_id=group_id)
    search.run()
    own = search.groups.get(group_id)
    return _graph(search, own.root_id if own is not None else "")


class _Search:
    """Collects what hangs together with one task or group.

    Nothing is asked for twice, and no query reads more rows than a graph may have; so whatever
    the records say, it ends.

    Attributes:
        tasks: By id.
        groups: By id.
        unknown: Ids that records name, and that are on record themselves nowhere.
        more: Whether there is more than was read.
    """

    def __init__(self, project: str, task_id: str = "", group_id: str = "") -> None:
        self.tasks: dict[str, TaskRecord] = {}
        self.groups: dict[str, GroupRecord] = {}
        self.more = False
        self._project = project
        self._task_id = task_id
        self._group_id = group_id
        self._asked: dict[tuple[type, str], set[str]] = defaultdict(set)
        #: Tasks on record for which there was no room.
        self._left_out: set[str] = set()

    def know(self, record: TaskRecord | GroupRecord) -> None:
        """Don't ask for what is at hand."""
        if isinstance(record, GroupRecord):
            self._asked[GroupRecord, "group_id"].add(record.group_id)
            self.groups[record.group_id] = record
        else:
            self._asked[TaskRecord, "task_id"].add(record.task_id)
            self.tasks[record.task_id] = record

    def run(self) -> None:
        """Read it."""
        for _ in range(ROUNDS):
            asked = False
            for model, column, values in self._wanted():
                if values:
                    self._ask(model, column, values)
                    asked = True
            if self.more or not asked:
                return
        self.more = any(values for _, _, values in self._wanted())

    @property
    def unknown(self) -> list[str]:
        """In the order of their ids."""
        asked = self._asked[TaskRecord, "task_id"]
        return sorted(asked - self.tasks.keys() - self._left_out - self._body_groups())

    def _wanted(self) -> Iterator[tuple[type[Any], str, set[str]]]:
        """What to ask for, of which model, by which column; told anew after each answer."""
        relations: list[tuple[type[Any], str, Any]] = [
            (TaskRecord, "task_id", self._named),
            (GroupRecord, "group_id", self._group_ids),
            # What is named has its place before many members take what room there is.
            (TaskRecord, "task_id", self._named),
            # Members may be roots themselves, all of which are then asked for at once.
            (TaskRecord, "group_id", self._group_ids),
            (TaskRecord, "root_id", self._roots),
            (TaskRecord, "retry_of", self._task_ids),
            (GroupRecord, "group_id", self._group_ids),
            (GroupRecord, "body_id", lambda: [*self.tasks, *self.groups]),
        ]
        for model, column, values in relations:
            yield model, column, set(values()) - self._asked[model, column] - {""}

    def _named(self) -> set[str]:
        names = {self._task_id}
        for task in self.tasks.values():
            names |= {task.root_id, task.parent_id, task.chord_id, task.retry_of}
            names.update(tasks.waiting_steps(task))
        for group in self.groups.values():
            names |= {group.root_id, group.body_id}
        return names - self.tasks.keys() - self._body_groups()

    def _body_groups(self) -> set[str]:
        """The bodies that are groups or chords, and what they follow: no ids of tasks."""
        found = [one for one in self.groups.values() if one.body_name in events.GROUPS]
        return {name for one in found for name in (one.group_id, one.body_id)}

    def _roots(self) -> set[str]:
        roots = {task.root_id or task.task_id for task in self.tasks.values()}
        roots |= {group.root_id for group in self.groups.values()}
        return roots if self._task_id in self.tasks else roots | {self._task_id}

    def _group_ids(self) -> set[str]:
        named = (one.group_id for one in self.tasks.values())
        return {self._group_id, *self.groups, *named, *self._body_groups()}

    def _task_ids(self) -> Iterable[str]:
        return self.tasks

    def _ask(self, model: type[Any], column: str, values: set[str]) -> None:
        self._asked[model, column] |= values
        ordered = sorted(values)
        vendor = connections[model._default_manager.db].vendor
        at_once = _AT_ONCE_ON_MYSQL if vendor == "mysql" else _AT_ONCE
        for first in range(0, len(ordered), at_once):
            rows = list(_rows(model, column, ordered[first : first + at_once], self._project))
            self.more = self.more or len(rows) > LIMIT
            # MySQL takes a text for the same with spaces at its end.
            mine = [
                row
                for row in rows
                if row.project == self._project and getattr(row, column) in values
            ]
            if model is GroupRecord:
                self._add_groups(mine)
            else:
                self._add_tasks(mine)

    def _add_tasks(self, rows: Iterable[TaskRecord]) -> None:
        for row in rows:
            if row.task_id in self.tasks:
                continue
            if len(self.tasks) < LIMIT:
                self.tasks[row.task_id] = row
            else:
                self._left_out.add(row.task_id)
                self.more = True

    def _add_groups(self, rows: Iterable[GroupRecord]) -> None:
        for row in rows:
            if row.group_id in self.groups:
                continue
            if len(self.groups) < LIMIT:
                self.groups[row.group_id] = row
            else:
                self.more = True


def _rows(
    model: type[TaskRecord] | type[GroupRecord], column: str, values: Sequence[str], project: str
) -> Iterable[Any]:
    """The rows with one of the values, those of other projects not always left out.

    Most databases have a single project. Where it is named beside another index, MariaDB and
    SQLite take the unique one, which begins with it, and read through all of its rows.
    """
    found: QuerySet[Any] = model._default_manager.all()
    if model is TaskRecord:
        found = tasks.summaries(found)
    if column == _UNIQUE[model]:
        return found.filter(project=project, **{f"{column}__in": values})[: LIMIT + 1]
    found = found.filter(_INDEXED.get(column, Q()))
    if len(values) == 1 and column in _THEN:
        # A range, as in ``index_ranges``: for a frequent value PostgreSQL would otherwise look
        # through the whole table, in the hope of meeting enough of its rows soon.
        [value] = values
        found = found.filter(**{f"{column}__gte": value, f"{column}__lte": value})
        return found.order_by(column, _THEN[column])[: LIMIT + 1]
    # In no order: of many values' rows, an order means to read them all.
    return _with_any(found, column, values)[: LIMIT + 1]


def _with_any(found: QuerySet[Any], column: str, values: Sequence[str]) -> QuerySet[Any]:
    """Those of ``found`` that have one of the values, by the index that begins with ``column``.

    Nearly all rows have nothing there. SQLite knows only how many rows a value has on average,
    takes that for each of these, and reads the whole table; a join in a given order can't.
    """
    connection = connections[found.db]
    if connection.vendor != "sqlite":
        return found.filter(**{f"{column}__in": values})
    table = connection.ops.quote_name(found.model._meta.db_table)
    marks = ", ".join(["(%s)"] * len(values))
    ids = RawSQL(  # noqa: S611 - names of our own
        f"SELECT {table}.id FROM (VALUES {marks}) asked CROSS JOIN {table} "  # noqa: S608
        f"WHERE {table}.{column} = asked.column1 LIMIT {LIMIT + 1:d}",
        values,
    )
    return found.filter(pk__in=ids)


def _graph(search: _Search, root_id: str) -> Graph | None:
    if not search.tasks and not search.groups:
        return None
    records = sorted(search.tasks.values(), key=lambda task: task.pk)
    nodes = [tasks.Relative(task.task_id, task) for task in records]
    nodes += _unknown(records, search.unknown)
    shown = nodes[:LIMIT]
    groups = list(_groups(records, search.groups))
    shown_ids = {node.task_id for node in shown}
    return Graph(
        root_id=root_id,
        nodes=shown,
        groups=groups,
        edges=list(_edges(records, groups, search.groups, shown_ids)),
        more=search.more or len(nodes) > len(shown),
    )


def _unknown(records: Sequence[TaskRecord], task_ids: Sequence[str]) -> Iterator[tasks.Relative]:
    """The tasks that are only named; of a later step of a chain its name is known, too."""
    waiting, never = dict[str, str](), dict[str, str]()
    for task in records:
        (never if tasks.is_bad_end(task) else waiting).update(tasks.waiting_steps(task))
    for task_id in task_ids:
        name = waiting.get(task_id, never.get(task_id, ""))
        yield tasks.Relative(task_id, None, name, task_id in never and task_id not in waiting)


def _groups(records: Sequence[TaskRecord], known: dict[str, GroupRecord]) -> Iterator[Group]:
    members: dict[str, list[TaskRecord]] = {group_id: [] for group_id in known}
    for task in records:
        if group_id := _group_of(task, known):
            members.setdefault(group_id, []).append(task)
    for group_id, mine in members.items():
        record = known.get(group_id)
        body_id = record.body_id if record is not None else ""
        per_state = Counter(task.state for task in mine)
        yield Group(
            group_id=group_id,
            record=record,
            body_id=body_id or next((task.chord_id for task in mine if task.chord_id), ""),
            counts=[(state, per_state[state]) for state in states.ALL if per_state[state]],
        )


def _group_of(task: TaskRecord, known: dict[str, GroupRecord]) -> str:
    """The group that a task is a member of, see ``groups.membership``."""
    named = known.get(task.group_id)
    if named is not None and named.body_name == events.GROUP and not task.chord_id:
        return str(named.body_id)
    return str(task.group_id)


def _edges(
    records: Sequence[TaskRecord],
    groups: Iterable[Group],
    known: dict[str, GroupRecord],
    shown: set[str],
) -> Iterator[Edge]:
    parents = {task.task_id: task.parent_id for task in records}
    for task in records:
        if task.parent_id in shown and task.parent_id != task.task_id:
            yield Edge("parent", task.parent_id, task.task_id)
        for source, target in pairwise([task.task_id, *tasks.waiting_steps(task)]):
            if {source, target} <= shown and parents.get(target) != source:
                yield Edge("next", source, target)
        if group_id := _group_of(task, known):
            yield Edge("member", group_id, task.task_id)
        if task.retry_of in shown and task.retry_of != task.task_id:
            yield Edge("retry", task.retry_of, task.task_id)
    for group in groups:
        if group.body_id in shown or group.body_id in known:
            yield Edge("body", group.group_id, group.body_id)
