"""Tasks: the list, the search, one task and its relatives."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Substr

from z4j_django import states
from z4j_django.agent import events
from z4j_django.models import (
    ErrorGroup,
    GroupRecord,
    Operation,
    Release,
    TaskLog,
    TaskPayload,
    TaskRecord,
    WorkerRecord,
)
from z4j_django.queries import index_ranges, lookups
from z4j_django.queries.cursors import Order
from z4j_django.queries.index_ranges import IndexRange

#: Columns that may be large; lists leave them in the database.
HEAVY_FIELDS = ("args", "kwargs", "result", "exception_message", "traceback")

#: Characters of an exception's message that a list reads.
ERROR_LINE_LENGTH = 200

#: Values offered by a filter, at most.
CHOICES_LIMIT = 50

#: Newest tasks of a name among which the longest runs are looked for, and those that are shown.
RUNS_LIMIT = 2_000
SLOWEST_LIMIT = 10

#: Newest tasks among which some that ended are looked for.
ENDED_LIMIT = 1_000

#: Children shown of one task, at most.
CHILDREN_LIMIT = 100

#: Retries shown of one task, at most.
RETRIES_LIMIT = 20
#: Tasks around one that are looked at: relatives, next steps, retries.
_AROUND_LIMIT = 200
#: Groups that a task may be in, or be the body of, that are looked at.
_GROUPS_LIMIT = 10

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
    #: The task that it retries.
    retry_of: Relative | None
    #: What operators made of it again, the newest first.
    retried_as: list[TaskRecord]
    #: There is more than that.
    more_retries: bool
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


def listed(queryset: QuerySet[TaskRecord]) -> QuerySet[TaskRecord]:
    """``summaries``, with the begin of what the exception said as ``error_line``."""
    return summaries(queryset).annotate(
        error_line=Substr("exception_message", 1, ERROR_LINE_LENGTH)
    )


def detailed(queryset: QuerySet[TaskRecord]) -> QuerySet[TaskRecord]:
    """``queryset`` with what other tables say of a task, for a page of one.

    Each row gets ``worker_key``; ``error_key`` and ``error_count`` of the group of its error;
    ``release_known``, the name of its release; ``message_kept`` and ``log_kept``;
    ``operation_verb`` and ``operation_actor``. What is not on record is ``None``.
    """
    of_project = {"project": OuterRef("project")}
    worker = WorkerRecord.objects.filter(**of_project, hostname=OuterRef("worker"))
    error = ErrorGroup.objects.filter(**of_project, fingerprint=OuterRef("error"))
    release = Release.objects.filter(**of_project, key=OuterRef("release"))
    message = TaskPayload.objects.filter(**of_project, task_id=OuterRef("task_id"))
    operation = Operation.objects.filter(pk=OuterRef("operation"))
    return queryset.annotate(
        worker_key=Subquery(worker.values("pk")),
        error_key=Subquery(error.values("pk")),
        error_count=Subquery(error.values("count")),
        release_known=Subquery(release.values("name")),
        message_kept=Exists(message.exclude(sealed=b"")),
        log_kept=Exists(TaskLog.objects.filter(**of_project, task_id=OuterRef("task_id"))),
        operation_verb=Subquery(operation.values("verb")),
        operation_actor=Subquery(operation.values("actor")),
    )


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


class Ended(NamedTuple):
    """A task that came to an end, in short."""

    task_id: str
    name: str
    queue: str
    state: str
    runtime: float | None
    sent_at: datetime | None
    eta: datetime | None
    started_at: datetime | None
    finished_at: datetime


def ended(project: str) -> list[Ended]:
    """Those that came to an end, of the newest tasks, the newest first."""
    newest = TaskRecord.objects.order_by("-pk").values_list("project", *Ended._fields)
    found = newest[:ENDED_LIMIT]
    return [Ended(*values) for of, *values in found if of == project and values[-1] is not None]


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
    """Everything that ``task`` belongs to, in at most four queries; in three as a rule."""
    steps = waiting_steps(task)
    ids = (task.parent_id, task.root_id, task.chord_id, task.retry_of)
    known, retried = _around(task, {*ids, *steps} - {"", task.task_id})

    def relative(task_id: str) -> Relative | None:
        if not task_id or task_id == task.task_id:
            return None
        return Relative(task_id, known.get(task_id))

    children = list(
        summaries(TaskRecord.objects.filter(project=task.project, parent_id=task.task_id)).order_by(
            "id"
        )[: CHILDREN_LIMIT + 1]
    )
    group, chord_group, body_of = _groups(task)
    return Family(
        parent=relative(task.parent_id),
        root=relative(task.root_id),
        retry_of=relative(task.retry_of),
        retried_as=retried[:RETRIES_LIMIT],
        more_retries=len(retried) > RETRIES_LIMIT,
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
        body_of=body_of,
    )


def _around(task: TaskRecord, ids: set[str]) -> tuple[dict[str, TaskRecord], list[TaskRecord]]:
    """The tasks with some ids, and those that retry ``task``, the newest first; in one query."""
    project = Q(project=task.project)
    wanted = project & Q(retry_of=task.task_id)
    if ids:
        wanted |= project & Q(task_id__in=ids)
    # Of more retries than anybody makes the oldest are left out, and none of the others.
    rows = summaries(TaskRecord.objects.filter(wanted)).order_by("retry_of", "-id")[:_AROUND_LIMIT]
    known = {row.task_id: row for row in rows if row.task_id in ids}
    return known, [row for row in rows if row.retry_of == task.task_id]


def _groups(
    task: TaskRecord,
) -> tuple[GroupRecord | None, GroupRecord | None, GroupRecord | None]:
    """Its group, the group or chord that is its chord's body, and the chord whose body it is."""
    wanted = Q(project=task.project, body_id=task.task_id)
    if task.group_id:
        wanted |= Q(project=task.project, group_id=task.group_id)
    found = list(GroupRecord.objects.filter(wanted).order_by("id")[:_GROUPS_LIMIT])
    body_of = next((one for one in found if one.body_id == task.task_id), None)
    group = next((one for one in found if one.group_id == task.group_id), None)
    if group is None or group.body_name not in events.GROUPS:
        return group, None, body_of
    inner = GroupRecord.objects.filter(project=task.project, group_id=group.body_id).first()
    if group.body_name == events.GROUP and not task.chord_id:
        return inner, None, body_of  # it is of the body, see ``groups.membership``
    return group, inner, body_of


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
