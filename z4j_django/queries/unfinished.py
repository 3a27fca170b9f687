"""Tasks by their state, a bounded number of them: what is asked every few seconds reads no more.

Of a state that the index leaves out, ``SUCCESS``, there is nothing to be had here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db import connections
from django.db.models import QuerySet

from z4j_django import states
from z4j_django.models import TaskRecord
from z4j_django.queries.cursors import Key, Order
from z4j_django.queries.index_ranges import IndexRange, compiled, rows

#: Tasks of one state that are looked at, at most.
LOOK: Final = 2_000


def newest(project: str, state: str, look: int = LOOK) -> QuerySet[TaskRecord]:
    """Those of a project that are among the newest in a state."""
    last = _place(state, Order(), None, look)
    found = TaskRecord.objects.filter(project=project, state=state)
    return found if last is None else found.filter(id__gt=last)


def oldest(project: str, state: str, since: datetime, look: int = LOOK) -> QuerySet[TaskRecord]:
    """Those of a project that are among the oldest in a state of all that came since a moment."""
    sent = TaskRecord.objects.filter(sent_at__gte=since).order_by("sent_at", "id")
    first = sent.values_list("id", flat=True).first()
    if first is None:
        return TaskRecord.objects.none()
    last = _place(state, Order(down=False), Key(first - 1), look)
    found = TaskRecord.objects.filter(project=project, state=state, id__gte=first)
    return found if last is None else found.filter(id__lt=last)


def _place(state: str, order: Order, key: Key | None, look: int) -> int | None:
    """The id of the first task that is not looked at; ``None`` where there are not so many."""
    part = IndexRange(column="state", value=state)
    found = rows(TaskRecord.objects.all(), part, order, key).values_list("id", flat=True)
    return next(iter(found[look : look + 1]), None)


def running(project: str, look: int = LOOK) -> tuple[list[TaskRecord], bool]:
    """What runs, of the newest that do, in one query: id, name, worker and start.

    Returns:
        The tasks, those that run for the longest first; and whether there may be more.
    """
    columns = ("id", "project", "task_id", "name", "worker", "started_at")
    window = IndexRange(column="state", value=states.STARTED)
    found = list(rows(TaskRecord.objects.only(*columns), window, Order(), None)[:look])
    mine = [one for one in found if one.project == project and one.started_at is not None]
    mine.sort(key=lambda one: (one.started_at, one.pk))
    return mine, len(found) >= look


class Held(NamedTuple):
    """A task that a worker holds."""

    worker: str
    name: str
    received_at: datetime | None
    started_at: datetime | None
    eta: datetime | None


def held(project: str, state: str, look: int = LOOK) -> list[Held]:
    """What workers hold in a state, of the newest tasks in it, in one query."""
    window = IndexRange(column="state", value=state)
    newest = rows(TaskRecord.objects.all(), window, Order(), None)
    found = newest.values_list("project", *Held._fields)[:look]
    return [Held(*values) for of, *values in found if of == project]


@dataclass
class WaitingOfName:
    """The tasks of one name that wait in a queue.

    Attributes:
        name: Theirs.
        count: How many.
        oldest_at: When the oldest of them was sent.
    """

    name: str
    count: int = 0
    oldest_at: datetime | None = None


def waiting_in(project: str, queue: str, look: int = LOOK) -> tuple[list[WaitingOfName], bool]:
    """What waits in a queue by name, of the newest tasks that were sent to it.

    Returns:
        The names, those with the most tasks first; and whether more may wait.
    """
    window = IndexRange(column="queue", value=queue)
    columns = ("id", "project", "name", "queue", "state", "sent_at")
    newest = list(rows(TaskRecord.objects.only(*columns), window, Order(), None)[:look])
    found: dict[str, WaitingOfName] = {}
    for task in newest:
        if task.project == project and task.state == states.PENDING and task.sent_at is not None:
            of_name = found.setdefault(task.name, WaitingOfName(task.name))
            of_name.count += 1
            of_name.oldest_at = min(of_name.oldest_at or task.sent_at, task.sent_at)
    by_count = sorted(found.values(), key=lambda one: (-one.count, one.name))
    return by_count, len(newest) >= look


@dataclass
class Unfinished:
    """How many tasks of some names wait and run.

    Attributes:
        waiting: By name: what no process has begun.
        running: By name: what a process has begun and not ended.
        more: The states of which there are more tasks than were looked at: the newest.
    """

    waiting: dict[str, int] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    more: set[str] = field(default_factory=set)

    @property
    def more_waiting(self) -> bool:
        """Whether more may wait than were counted."""
        return bool(self.more - {states.STARTED})


def by_name(project: str, look: int = LOOK) -> Unfinished:
    """The tasks of a project by name, of the newest in each state that is no end, in one query.

    What was never sent waits for nothing: it is left out.
    """
    found, seen = Unfinished(), dict.fromkeys(states.UNFINISHED, 0)
    for state, of, name, is_sent, count in _by_name(look):
        seen[state] += count
        if of == project and is_sent:
            counts = found.running if state == states.STARTED else found.waiting
            counts[name] = counts.get(name, 0) + count
    found.more = {state for state, count in seen.items() if count >= look}
    return found


def _by_name(look: int) -> Sequence[Any]:
    columns = ("state", "project", "name")
    known = ("sent_at", "received_at")
    parts: list[str] = []
    values: list[Any] = []
    tasks = TaskRecord.objects.all()
    for state in sorted(states.UNFINISHED):
        window = rows(tasks, IndexRange(column="state", value=state), Order(), None)
        statement = compiled(window.values(*columns, *known)[:look])
        if statement is not None:
            parts.append(f"SELECT * FROM ({statement[0]}) part_{len(parts)}")  # noqa: S608 - compiled by Django
            values += statement[1]
    listed = ", ".join((*columns, "is_sent"))
    is_sent = f"CASE WHEN COALESCE({', '.join(known)}) IS NULL THEN 0 ELSE 1 END AS is_sent"
    union = " UNION ALL ".join(parts)
    with connections[tasks.db].cursor() as cursor:
        cursor.execute(
            f"SELECT {listed}, COUNT(*) FROM (SELECT {', '.join(columns)}, {is_sent} "  # noqa: S608
            f"FROM ({union}) newest) unfinished GROUP BY {listed}",
            values,
        )
        found: Sequence[Any] = cursor.fetchall()
    return found
