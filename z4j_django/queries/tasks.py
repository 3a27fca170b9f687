"""Tasks: the list, the search, one task and its relatives."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db.models import Q, QuerySet

from z4j_django import states
from z4j_django.agent import events
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import index_ranges, lookups
from z4j_django.queries.cursors import Order
from z4j_django.queries.index_ranges import IndexRange

#: Columns that may be large; lists leave them in the database.
HEAVY_FIELDS = ("args", "kwargs", "result", "exception_message", "traceback")

#: Values offered by a filter, at most.
CHOICES_LIMIT = 50

#: Newest tasks of a name among which the longest runs are looked for, and those that are shown.
RUNS_LIMIT = 2_000
SLOWEST_LIMIT = 10

#: Children shown of one task, at most.
CHILDREN_LIMIT = 100

#: Distinct task names that the search looks through, at most.
KNOWN_NAMES_LIMIT = 1000

#: Names that one search may mean, at most.
MATCHING_NAMES_LIMIT = 50

#: Shorter beginnings of a task id match too many rows to sort them.
ID_PREFIX_LENGTH = 4

#: What Celery makes for an id; no id begins with a whole one.
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Relative:
    """A task that another one names; ``record`` is None where none was kept."""

    task_id: str
    record: TaskRecord | None
    #: Its name, where no record has it.
    name: str = ""
    #: Whether it is a step of a chain of which an earlier one ended badly, and is not on record.
    never_sent: bool = False


@dataclass(frozen=True)
class Family:
    """What a task belongs to, within its project."""

    parent: Relative | None
    root: Relative | None
    chord_body: Relative | None
    #: The group or chord that is the body itself.
    chord_group: GroupRecord | None
    #: The steps of its chain that wait for it, or never were sent.
    next_steps: list[Relative]
    children: list[TaskRecord]
    #: There are children beyond those in ``children``.
    more_children: bool
    group_id: str
    group: GroupRecord | None
    #: The chord whose body this task is.
    body_of: GroupRecord | None


@dataclass(frozen=True)
class Pace:
    """How long the newest attempt waited and ran, in seconds; None where not known."""

    wait: float | None
    run: float | None
    #: The moment from which the wait counts.
    since: Literal["sent", "eta", "received"]
    #: The part that has not ended yet.
    ongoing: Literal["wait", "run"] | None


def summaries(queryset: QuerySet[TaskRecord]) -> QuerySet[TaskRecord]:
    """``queryset`` without the columns that a list does not show."""
    return queryset.defer(*HEAVY_FIELDS)


def search(queryset: QuerySet[TaskRecord], text: str) -> QuerySet[TaskRecord]:
    """The tasks of ``queryset`` that a person may mean by ``text``.

    Args:
        queryset: Where to search.
        text: A task id or its beginning; or a task name, or the beginning of one of its dotted
            parts, in any case.

    Returns:
        The matching part of ``queryset``; all of it for an empty text.
    """
    return index_ranges.matching(queryset, ranges(queryset, text))


def ranges(queryset: QuerySet[TaskRecord], text: str) -> list[IndexRange]:
    """The same search, index by index."""
    text = text.strip()
    if not text:
        return [IndexRange()]
    # The index on task ids begins with the project.
    by_id = Q(project__in=lookups.projects(queryset)) & matches_id(queryset, text)
    names = names_like(queryset, text)[:MATCHING_NAMES_LIMIT]
    return [
        IndexRange(by_id, is_few=True),
        *(IndexRange(column="name", value=name) for name in names),
    ]


def meanings(queryset: QuerySet[TaskRecord], text: str) -> list[Q]:
    """The same search as conditions of which one has to hold, for rows that are few."""
    return [matches_id(queryset, text), Q(name__in=names_like(queryset, text))]


def is_prefix(text: str) -> bool:
    """Whether ``text`` is taken for the beginning of an id, rather than a whole one."""
    return len(text) >= ID_PREFIX_LENGTH and not _UUID.fullmatch(text)


def matches_id(queryset: QuerySet[TaskRecord], text: str) -> Q:
    """The condition that a task's id is ``text`` or begins with it."""
    return lookups.starts_with(queryset, "task_id", text) if is_prefix(text) else Q(task_id=text)


def names_like(queryset: QuerySet[TaskRecord], text: str) -> list[str]:
    """The names on record that a person may mean by ``text``.

    Of a table with more than ``KNOWN_NAMES_LIMIT`` names, the first ones, and those that begin
    with it as it stands.
    """
    known = lookups.distinct_values(queryset, "name", KNOWN_NAMES_LIMIT)
    if len(known) == KNOWN_NAMES_LIMIT:
        known += lookups.distinct_values(queryset, "name", KNOWN_NAMES_LIMIT, text)
    beginning = text.casefold()
    matching = (name for name in known if f".{name}".casefold().find(f".{beginning}") >= 0)
    return list(dict.fromkeys(matching))


def by_ids(project: str, task_ids: Iterable[str]) -> dict[str, TaskRecord]:
    """The records of some tasks of one project, by task id.

    Args:
        project: The project's name.
        task_ids: At most a page of ids; empty ones are left out.

    Returns:
        What is on record; an id without a record is missing.
    """
    wanted = {task_id for task_id in task_ids if task_id}
    if not wanted:
        return {}
    found = summaries(TaskRecord.objects.filter(project=project, task_id__in=wanted))
    return {record.task_id: record for record in found}


def slowest(project: str, name: str) -> list[TaskRecord]:
    """The longest runs among the newest tasks of a name: no index knows how long tasks ran."""
    newest = TaskRecord.objects.only("id", "project", "runtime")
    window = index_ranges.rows(newest, IndexRange(column="name", value=name), Order(), None)
    rows = window.values_list("runtime", "id", "project")[:RUNS_LIMIT]
    runs = [(runtime, pk) for runtime, pk, of in rows if of == project and runtime is not None]
    longest = [pk for _, pk in sorted(runs, reverse=True)[:SLOWEST_LIMIT]]
    found = summaries(TaskRecord.objects.filter(pk__in=longest))
    return sorted(found, key=lambda one: longest.index(one.pk))


def family(task: TaskRecord) -> Family:
    """Everything that ``task`` belongs to, in at most five queries."""
    steps = waiting_steps(task)
    known = by_ids(task.project, (task.parent_id, task.root_id, task.chord_id, *steps))

    def relative(task_id: str) -> Relative | None:
        if not task_id or task_id == task.task_id:
            return None
        return Relative(task_id, known.get(task_id))

    children = list(
        summaries(TaskRecord.objects.filter(project=task.project, parent_id=task.task_id)).order_by(
            "id"
        )[: CHILDREN_LIMIT + 1]
    )
    groups = GroupRecord.objects.filter(project=task.project)
    group = groups.filter(group_id=task.group_id).first() if task.group_id else None
    chord_group = None
    if group is not None and group.body_name in events.GROUPS:
        chord_group = groups.filter(group_id=group.body_id).first()
        if group.body_name == events.GROUP and not task.chord_id:
            group, chord_group = chord_group, None  # it is of the body, see ``groups.membership``
    return Family(
        parent=relative(task.parent_id),
        root=relative(task.root_id),
        chord_body=relative(task.chord_id) if chord_group is None else None,
        chord_group=chord_group,
        next_steps=[
            Relative(step_id, known.get(step_id), name, step_id not in known and is_bad_end(task))
            for step_id, name in steps.items()
        ],
        children=children[:CHILDREN_LIMIT],
        more_children=len(children) > CHILDREN_LIMIT,
        group_id=group.group_id if group is not None else task.group_id,
        group=group,
        body_of=groups.filter(body_id=task.task_id).order_by("id").first(),
    )


def waiting_steps(task: TaskRecord) -> dict[str, str]:
    """Names by ids of the steps of its chain that were not sent when it was seen last."""
    return {} if task.state == states.SUCCESS else dict(task.next_steps or ())


def is_bad_end(task: TaskRecord) -> bool:
    """Whether it ended so that no step of its chain follows."""
    return task.state in states.FINISHED and task.state != states.SUCCESS


def pace(task: TaskRecord, now: datetime) -> Pace:
    """How long the newest attempt of ``task`` waited and ran, up to ``now`` where it still does.

    Two hosts' clocks may disagree; what comes out negative counts as zero.
    """
    begin, since = _wait_begins(task)
    unfinished = task.state in states.UNFINISHED
    waiting = unfinished and task.started_at is None
    running = task.state == states.STARTED and task.started_at is not None
    wait_ends = task.started_at or (now if waiting else None)
    wait = _seconds(begin, wait_ends)
    ongoing: Literal["wait", "run"] | None = None
    if running:
        ongoing = "run"
    elif waiting and wait is not None:
        ongoing = "wait"
    return Pace(wait=wait, run=runtime(task, now), since=since, ongoing=ongoing)


def runtime(task: TaskRecord, now: datetime) -> float | None:
    """How long the newest attempt ran: so far where it still runs, or until it was killed."""
    if task.runtime is not None:
        return task.runtime
    return _seconds(task.started_at, now if task.state == states.STARTED else task.finished_at)


def _wait_begins(task: TaskRecord) -> tuple[datetime | None, Literal["sent", "eta", "received"]]:
    if task.retries and task.received_at:
        # ``sent_at`` is the first attempt's.
        return task.received_at, "received"
    if task.eta and task.sent_at and task.eta > task.sent_at:
        return task.eta, "eta"
    return task.sent_at, "sent"


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    if begin is None or end is None:
        return None
    return max(0.0, (end - begin).total_seconds())
