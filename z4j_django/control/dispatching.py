"""Work of our own that a worker does."""

from __future__ import annotations

from typing import Final

import celery
from celery.exceptions import SoftTimeLimitExceeded

from z4j_django.control.connecting import open_connection
from z4j_django.timeouts import within

#: The name of the task in ``z4j_django.tasks``.
BULK_TASK: Final = "z4j_django.bulk"
#: Seconds that it may take, softly and at all, instead of what the project allows its own tasks.
BULK_SOFT_LIMIT: Final = 24 * 3600.0
BULK_LIMIT: Final = BULK_SOFT_LIMIT + 60.0

#: Raised in a task by a worker whose soft time limit has passed.
TimeIsUp = SoftTimeLimitExceeded


def leaves_to_workers(app: celery.Celery) -> bool:
    """Whether a worker of ``app`` would carry out an operation.

    False where tasks are run by whoever sends them, or where the app does not know the task.
    """
    return not app.conf.task_always_eager and BULK_TASK in app.tasks


def send_bulk(app: celery.Celery, operation_id: int, queue: str | None, timeout: float) -> None:
    """Have a worker carry out an operation.

    Args:
        app: The project's app.
        operation_id: Its number.
        queue: Where to send it; ``None`` for wherever tasks go by default.
        timeout: Seconds in which the broker must take it.

    Raises:
        TimeoutError: If it does not in time.
        Exception: Whatever the transport raises where it refuses.
    """

    def call() -> None:
        with open_connection(app, timeout) as connection:
            app.send_task(
                BULK_TASK,
                (operation_id,),
                queue=queue,
                connection=connection,
                ignore_result=True,
                retry=False,
                soft_time_limit=BULK_SOFT_LIMIT,
                time_limit=BULK_LIMIT,
            )

    within(timeout, call)
