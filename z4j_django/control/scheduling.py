"""What beat publishes, published as beat does it: by Celery's own scheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import celery
from celery.beat import ScheduleEntry, Scheduler, SchedulingError

from z4j_django.agent import messages
from z4j_django.control.connecting import open_connection
from z4j_django.timeouts import within
from z4j_django.values import clean


@dataclass(frozen=True)
class Sending:
    """What an entry of a schedule publishes.

    Attributes:
        name: The entry's.
        task: The name of its task.
        args: Its arguments; of the app's own schedule some may be computed when it is sent.
        kwargs: Likewise.
        options: As ``Task.apply_async`` takes them.
    """

    name: str
    task: str
    args: Sequence[Any] = field(default=(), repr=False)
    kwargs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


def of_settings(app: celery.Celery, name: str) -> Sending | None:
    """The entry of ``beat_schedule`` with this name on record; ``None`` where there is none."""
    for key, entry in dict(app.conf.beat_schedule or {}).items():
        if clean(str(key)) == name:
            args, kwargs = entry.get("args") or (), entry.get("kwargs") or {}
            options = entry.get("options") or {}
            return Sending(str(key), str(entry.get("task") or key), args, kwargs, options)
    return None


def publish(
    app: celery.Celery, sending: Sending, *, task_id: str, operation: int, timeout: float
) -> None:
    """Publish it once; its record names the entry and the operation.

    Args:
        app: The project's app.
        sending: What.
        task_id: The task's id.
        operation: The number of the operation.
        timeout: Seconds in which the broker must take it.

    Raises:
        TimeoutError: If the broker does not answer in time; it may have been published.
        Exception: Whatever hinders it.
    """
    stamp = {"schedule": sending.name, "operation": operation}
    headers = {**(sending.options.get("headers") or {}), messages.HEADER: stamp}
    entry = ScheduleEntry(
        name=sending.name,
        task=sending.task,
        args=sending.args,
        kwargs=sending.kwargs,
        options={**sending.options, "headers": headers, "task_id": task_id, "retry": False},
        app=app,
    )

    def call() -> None:
        with open_connection(app, timeout) as connection:
            producer = app.amqp.Producer(connection, auto_declare=False)
            scheduler = Scheduler(app, lazy=True)
            scheduler.apply_async(entry, producer=producer, advance=False)

    try:
        within(timeout, call)
    except SchedulingError as error:
        raise error.__cause__ or error from None
