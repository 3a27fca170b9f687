"""Tasks of our own, which the project's workers run."""

from __future__ import annotations

from typing import Any

from celery import Task, shared_task

from z4j_django import control
from z4j_django.control import results


@shared_task(  # type: ignore[untyped-decorator]  # Celery has no types
    name=results.REPLAY_TASK, bind=True, ignore_result=False
)
def replay(self: Task, task_id: str) -> Any:
    """Return the result of another task once more: it stands in for a chord's member.

    Args:
        self: The task.
        task_id: Of the task that succeeded.

    Raises:
        LookupError: If its result is gone.
    """
    return results.stored(self.app, task_id)


@shared_task(  # type: ignore[untyped-decorator]  # Celery has no types
    name=control.BULK_TASK,
    bind=True,
    ignore_result=True,
    # A worker that is killed leaves it to another, which goes on where it stopped.
    acks_late=True,
    reject_on_worker_lost=True,
    max_retries=None,
    # The project's limits are for its own tasks; this one leaves off in time by itself.
    soft_time_limit=control.BULK_SOFT_LIMIT,
    time_limit=control.BULK_LIMIT,
)
def bulk(self: Task, operation_id: int) -> None:
    """Carry out a bulk operation.

    Args:
        self: The task.
        operation_id: Its number.

    Raises:
        Retry: If it is not over.
        LookupError: If there is none of that number.
    """
    from z4j_django.operations import bulk_operations  # every Django process loads this module

    wait = bulk_operations.carry_on(operation_id, seconds=_slice(self, bulk_operations.SLICE))
    if wait is not None:
        raise self.retry(countdown=wait)


def _slice(task: Task, longest: float) -> float:
    """Seconds after which to leave off, well before a limit that a project puts on all tasks."""
    hard, soft = task.request.timelimit or (None, None)
    limits = (hard or task.time_limit, soft or task.soft_time_limit)
    shortest: float = min([longest, *(limit / 2 for limit in limits if limit)])
    return shortest
