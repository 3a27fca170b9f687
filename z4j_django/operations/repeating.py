"""Whether a task is run again already: twice the same retry would run it twice.

Whoever is about to publish locks the records of all that it is about first, in the order in which
the store locks them, and looks then. What it will publish it writes down before it lets go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from z4j_django import verbs
from z4j_django.control import results
from z4j_django.exceptions import OperationError
from z4j_django.models import GroupRecord, Operation, OperationTarget, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.operations import originals
from z4j_django.queries import tasks

#: Time in which what was published comes to be on record, or never will.
_A_MOMENT: Final = timedelta(minutes=5)
#: Ids in one query.
_AT_ONCE: Final = 500
#: Newest retries of groups, of which one may have just begun.
_GROUPS: Final = 50
_VERBS: Final = (verbs.RETRY.name, verbs.RETRY_GROUP.name)

_Result = OperationTarget.Outcome


def locked(project: str, task_ids: Iterable[str]) -> dict[str, TaskRecord]:
    """The records of some tasks; who asks for one of them too waits for this transaction's end."""
    found: dict[str, TaskRecord] = {}
    for part in _parts(sorted(set(task_ids))):
        rows = tasks.summaries(primary(TaskRecord).filter(project=project, task_id__in=part))
        ordered = rows.order_by("project", "task_id").select_for_update()
        found.update((record.task_id, record) for record in ordered)
    return found


def require_none(record: TaskRecord) -> None:
    """See that no retry of a task is on record, or about to be.

    Who retries all failures twice would otherwise run the first ones again, those included that
    have succeeded since. What failed of the retries can be retried itself.

    Raises:
        OperationError: If there is one; the message names it and its state.
    """
    retries = primary(TaskRecord).filter(project=record.project, retry_of=record.task_id)
    runs = retries.exclude(name=results.REPLAY_TASK).only("task_id", "state", "worker")
    newest = runs.order_by("-id").first()
    if newest is not None:
        raise OperationError(
            f"It was retried already, as {newest.task_id}, which is {originals.in_words(newest)}. "
            "Retry that one; or with force this one once more."
        )
    if (target := _unseen(record.project, [record.task_id])) is not None:
        raise OperationError(
            f"Operation {target.operation_id} has retried it as {target.result_id}, which is not "
            "on record yet. With force it is retried once more."
        )
    if (operation := _retry_of_its_group(record)) is not None:
        raise OperationError(
            f"Operation {operation.pk} has just retried {operation.parameters['group_id']}, which "
            "it belongs to, and that is not on record yet. With force it is retried all the same."
        )


def require_none_of_group(
    project: str, group_id: str, task_ids: Collection[str], known: Collection[str]
) -> None:
    """See that nobody has retried a group, or one of its tasks, since it was looked at.

    Args:
        project: Whose group.
        group_id: Its id.
        task_ids: All that belongs to it.
        known: The tasks that were on record when it was looked at.

    Raises:
        OperationError: If somebody has; the message names the operation.
    """
    if (target := _unseen(project, task_ids, known)) is None:
        return
    is_group = target.operation.verb == verbs.RETRY_GROUP.name
    what = group_id if is_group else f"{target.target} of {group_id}"
    raise OperationError(
        f"Operation {target.operation_id} has just retried {what}, and its tasks are not on record "
        "yet. Wait for them; with force it is done once more."
    )


def _unseen(
    project: str, task_ids: Collection[str], known: Collection[str] | None = None
) -> OperationTarget | None:
    """What was published lately for one of some tasks, or is about to be, and is not on record.

    Args:
        project: Whose tasks.
        task_ids: The tasks.
        known: What is on record; without it, what is now.
    """
    for part in _parts(sorted(task_ids)):
        rows = OperationTarget.objects.filter(
            project=project,
            target__in=part,
            outcome__in=(_Result.ACTING, _Result.DONE, _Result.UNKNOWN),
            operation__verb__in=_VERBS,
            at__gte=_lately(),
        ).exclude(result_id="")
        found = list(rows.select_related("operation").order_by("-id"))
        if known is None and found:
            ids = [target.result_id for target in found]
            records = primary(TaskRecord).filter(project=project, task_id__in=ids)
            on_record: Collection[str] = set(records.values_list("task_id", flat=True))
        else:
            on_record = known or ()
        for target in found:
            if target.result_id not in on_record:
                return target
    return None


def _retry_of_its_group(record: TaskRecord) -> Operation | None:
    """A retry of the group of a task, or of the chord with this body, that is not on record yet.

    Of what it runs again, that task need not be a target: it may come later.
    """
    groups = primary(GroupRecord).filter(project=record.project)
    mine = set(groups.filter(body_id=record.task_id).values_list("group_id", flat=True))
    mine = {group_id for group_id in (*mine, record.group_id) if group_id}
    if not mine:
        return None
    retries = Operation.objects.filter(project=record.project, verb=verbs.RETRY_GROUP.name)
    for operation in retries.order_by("-id")[:_GROUPS]:
        is_of_mine = operation.parameters.get("group_id") in mine
        if not is_of_mine or operation.created_at < _lately():
            continue
        may_have_run = operation.finished_at is None or operation.done or operation.unknown
        again = groups.filter(group_id=operation.parameters.get("new_group_id"))
        if may_have_run and not again.exists():
            return operation
    return None


def _lately() -> datetime:
    return timezone.now() - _A_MOMENT


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(ids), _AT_ONCE):
        yield ids[first : first + _AT_ONCE]
