"""Whether a task was retried a moment ago: a second retry would run it twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.utils import timezone

from z4j_django import states
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget, TaskRecord
from z4j_django.operations import originals

#: Time in which what was published comes to be on record, or never will.
_A_MOMENT: Final = timedelta(minutes=5)
#: Retries of one task that are looked at, the newest first.
_LOOKED_AT: Final = 50

_Result = OperationTarget.Outcome


def require_none(record: TaskRecord) -> None:
    """See that no retry of a task is under way.

    Raises:
        OperationError: If one is; the message names its operation and the new task.
    """
    retries = OperationTarget.objects.filter(
        project=record.project,
        target=record.task_id,
        outcome__in=(_Result.DONE, _Result.UNKNOWN),
        operation__verb=Operation.Verb.RETRY,
    ).exclude(result_id="")
    found = list(retries.order_by("-id")[:_LOOKED_AT])
    ids = [target.result_id for target in found]
    on_record = TaskRecord.objects.filter(project=record.project, task_id__in=ids)
    known = {one.task_id: one for one in on_record.only("task_id", "state", "worker")}
    recent = timezone.now() - _A_MOMENT
    for target in found:
        new = known.get(target.result_id)
        if new is not None and new.state in states.UNFINISHED:
            now = f"is {originals.in_words(new)}"
        elif new is None and target.at is not None and target.at >= recent:
            now = "is not on record yet"
        else:
            continue
        raise OperationError(
            f"Operation {target.operation_id} has retried it as {target.result_id}, which {now}. "
            "With force it is retried once more."
        )
