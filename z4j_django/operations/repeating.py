"""Whether a task was retried already: a second retry of the same would run it twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.utils import timezone

from z4j_django import verbs
from z4j_django.control import results
from z4j_django.exceptions import OperationError
from z4j_django.models import OperationTarget, TaskRecord
from z4j_django.operations import originals

#: Time in which what was published comes to be on record, or never will.
_A_MOMENT: Final = timedelta(minutes=5)

_Result = OperationTarget.Outcome


def require_none(record: TaskRecord) -> None:
    """See that no retry of a task is on record, or about to be.

    Who retries all failures twice would otherwise run the first ones again, those included that
    have succeeded since. What failed of the retries can be retried itself.

    Raises:
        OperationError: If there is one; the message names it and its state.
    """
    retries = TaskRecord.objects.filter(project=record.project, retry_of=record.task_id)
    runs = retries.exclude(name=results.REPLAY_TASK).only("task_id", "state", "worker")
    newest = runs.order_by("-id").first()
    if newest is not None:
        raise OperationError(
            f"It was retried already, as {newest.task_id}, which is {originals.in_words(newest)}. "
            "Retry that one; or with force this one once more."
        )
    published = OperationTarget.objects.filter(
        project=record.project,
        target=record.task_id,
        outcome__in=(_Result.DONE, _Result.UNKNOWN),
        operation__verb=verbs.RETRY.name,
        at__gte=timezone.now() - _A_MOMENT,
    ).exclude(result_id="")
    if (target := published.order_by("-id").first()) is not None:
        raise OperationError(
            f"Operation {target.operation_id} has retried it as {target.result_id}, which is not "
            "on record yet. With force it is retried once more."
        )
