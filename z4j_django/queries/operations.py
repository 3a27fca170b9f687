"""Operations: what was done to a task, and what came of each target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, Subquery

from z4j_django import states, verbs
from z4j_django.models import (
    GroupRecord,
    Operation,
    OperationTarget,
    SavedMessage,
    TaskRecord,
)
from z4j_django.queries import pages, tasks
from z4j_django.queries.cursors import Cursor, Order
from z4j_django.queries.index_ranges import IndexRange
from z4j_django.queries.pages import Page

#: Operations shown of one task, and of one group, at most.
TRAIL_LIMIT = 20

#: Targets on one page.
TARGETS_LIMIT = 200

#: Targets of one operation whose published tasks are looked at, at most: the first.
PUBLISHED_LIMIT = 10_000


@dataclass(frozen=True)
class Trail:
    """What operators did to one task, the newest first."""

    targets: list[OperationTarget]
    #: There are more than those.
    more: bool


@dataclass(frozen=True)
class Named:
    """The records that targets name.

    Attributes:
        tasks: By task id: targets, and what was published for them.
        groups: By group id.
    """

    tasks: dict[str, TaskRecord]
    groups: dict[str, GroupRecord]


def retried_as(task: TaskRecord) -> list[str]:
    """The ids of what retries ``task``, the newest first."""
    found = TaskRecord.objects.filter(project=task.project, retry_of=task.task_id)
    newest = found.order_by("-id").values_list("task_id", flat=True)
    return list(newest[: tasks.RETRIES_LIMIT])


def trail(task: TaskRecord) -> Trail:
    """The operations that were asked to act on ``task``."""
    kind = OperationTarget.Kind.TASK
    mine = OperationTarget.objects.filter(target=task.task_id)
    found = mine.filter(project=task.project, kind=kind)
    rows = list(found.select_related("operation").order_by("-id")[: TRAIL_LIMIT + 1])
    return Trail(rows[:TRAIL_LIMIT], len(rows) > TRAIL_LIMIT)


def of_group(group: GroupRecord) -> list[Operation]:
    """The newest operations that ran a group again; their targets are the tasks they published.

    It reads along the index on verbs: people ask for few of these.
    """
    found = Operation.objects.filter(
        verb=verbs.RETRY_GROUP.name,
        project=group.project,
        parameters__group_id=group.group_id,
    )
    return list(found.order_by("-id")[:TRAIL_LIMIT])


def restores(purge: Operation) -> list[Operation]:
    """The newest operations that put back what ``purge`` removed."""
    found = Operation.objects.filter(
        verb=verbs.RESTORE.name, pk__gt=purge.pk, parameters__restores=purge.pk
    )
    return list(found.order_by("-id")[:TRAIL_LIMIT])


def find(number: int | None) -> Operation | None:
    """The operation of this number, or None where there is none."""
    return None if number is None else Operation.objects.filter(pk=number).first()


def counts(operation: Operation) -> dict[str, int]:
    """How many targets have each outcome, as they stand now.

    Counted while it goes on, which its index bounds by the number of its targets; an operation
    that is over has written its counts down.
    """
    if operation.finished_at is not None:
        known = {
            OperationTarget.Outcome.DONE: operation.done,
            OperationTarget.Outcome.REFUSED: operation.refused,
            OperationTarget.Outcome.FAILED: operation.failed,
            OperationTarget.Outcome.UNKNOWN: operation.unknown,
        }
        rest = operation.total - sum(known.values())
        found = {**{str(key): count for key, count in known.items()}, "pending": max(rest, 0)}
    else:
        rows = OperationTarget.objects.filter(operation=operation).order_by("outcome")
        found = dict(rows.values_list("outcome").annotate(Count("id")))
    return {outcome: found[outcome] for outcome in OUTCOMES if found.get(outcome)}


#: Outcomes, those that want a look first.
OUTCOMES = ("failed", "unknown", "refused", "done", "acting", "pending")


def published(operation: Operation) -> dict[str, int]:
    """How many of the tasks that ``operation`` published stand in each state, in one query.

    A task that is not on record (yet) counts as ``not_on_record``: its events are on their way, or
    nobody knows whether it was published. Of the first ``PUBLISHED_LIMIT`` targets; by their ids,
    for the tasks have no index on the operation.
    """
    return _stand(operation, "result_id")


def acted_on(operation: Operation) -> dict[str, int]:
    """How many of the tasks that ``operation`` acted on stand in each state, likewise."""
    return _stand(operation, "target")


def _stand(operation: Operation, column: str) -> dict[str, int]:
    state = TaskRecord.objects.filter(project=operation.project, task_id=OuterRef(column))
    rows = OperationTarget.objects.filter(operation=operation, position__lt=PUBLISHED_LIMIT)
    stand = rows.exclude(**{column: ""}).annotate(stands=Subquery(state.values("state")))
    counted = stand.order_by().values_list("stands").annotate(Count("pk"))
    found = {name or _NOT_ON_RECORD: count for name, count in counted}
    return {name: found[name] for name in _STANDS if name in found}


def published_label(operation: Operation) -> str:
    """What :func:`published` counts, in words."""
    if operation.total <= PUBLISHED_LIMIT:
        return "Published"
    return f"Published for the first {PUBLISHED_LIMIT:,} targets"


_NOT_ON_RECORD = "not_on_record"
#: Where a published task stands: what ended first.
_STANDS = (*reversed(states.ALL), _NOT_ON_RECORD)


def first_targets(operation: Operation, limit: int) -> list[OperationTarget]:
    """The first targets of ``operation``, ``limit`` at most."""
    found = OperationTarget.objects.filter(operation=operation)
    return list(found.order_by("position")[:limit])


def targets(
    operation: Operation, outcome: str, cursor: Cursor, limit: int
) -> Page[OperationTarget]:
    """A page of the targets of ``operation``, in their order.

    Args:
        operation: Whose.
        outcome: Only those that came out so; all for the empty string.
        cursor: Where the page begins; its key is a position.
        limit: How many at most.
    """
    mine = Q(operation=operation, outcome=outcome) if outcome else Q(operation=operation)
    order = Order("position", down=False)
    return pages.read(OperationTarget.objects.all(), cursor, limit, [IndexRange(mine)], order)


def named(operation: Operation, rows: Sequence[OperationTarget]) -> Named:
    """The records that some targets of ``operation``, and the operation itself, name."""
    return Named(
        tasks=tasks.by_ids(operation.project, _task_ids(operation, rows)),
        groups=_groups(operation, rows),
    )


def ranges(verb: str = "", state: str = "", target: str = "") -> list[IndexRange]:
    """The index that leads to the operations of a verb, in a state, or that touched a target.

    The others of these narrow what it finds. Nearly all operations are finished: these are met on
    the way through the newest, and no index leads to them, or to all that there are.
    """
    if target:
        touched = OperationTarget.objects.filter(target=target)
        return [IndexRange(Q(pk__in=touched.values("operation_id")))]
    if state and state != Operation.State.FINISHED:
        return [IndexRange(column="state", value=state)]
    return [IndexRange(column="verb", value=verb)] if verb else [IndexRange()]


def _task_ids(operation: Operation, rows: Sequence[OperationTarget]) -> set[str]:
    """The tasks among the targets and what was published, and those that a retry names besides."""
    kinds = OperationTarget.Kind
    ids = {row.target for row in rows if row.kind == kinds.TASK}
    ids |= {row.result_id for row in rows if row.kind not in (kinds.QUEUE, kinds.ERROR)}
    return ids | _named(operation, "body_id", "new_body_id")


def _named(operation: Operation, *parameters: str) -> set[str]:
    given = operation.parameters if isinstance(operation.parameters, dict) else {}
    return {value for name in parameters if isinstance(value := given.get(name), str)}


def _groups(operation: Operation, rows: Sequence[OperationTarget]) -> dict[str, GroupRecord]:
    """The groups among the targets, and those that a retry names besides."""
    ids = {row.target for row in rows if row.kind == OperationTarget.Kind.GROUP}
    ids |= _named(operation, "group_id", "new_group_id")
    ids.discard("")
    if not ids:
        return {}
    found = GroupRecord.objects.filter(project=operation.project, group_id__in=ids)
    return {group.group_id: group for group in found}


def with_saved_messages(purges: Sequence[Operation]) -> set[int]:
    """The keys of those purges that saved messages which nobody put back yet."""
    if not purges:
        return set()
    left = SavedMessage.objects.filter(operation=OuterRef("pk"), restored_at=None)
    found = Operation.objects.filter(Exists(left), pk__in=[one.pk for one in purges])
    return set(found.values_list("pk", flat=True))
