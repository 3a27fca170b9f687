"""Whether the broker and the workers are there.

Every call has a bound in seconds, opens a connection of its own and does not try again.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from typing import Any, Final

import celery
from kombu.connection import Connection

from z4j_django import broker
from z4j_django.agent import bootstrap, events
from z4j_django.secrets.masking import mask_text
from z4j_django.timeouts import within
from z4j_django.values import INTERNAL

#: Every Celery app has it. Without arguments it returns an empty tuple, and does nothing else.
PROBE_TASK: Final = "celery.accumulate"
#: Stands for a password, also where there is none.
_MASK: Final = "**"


def broker_address(app: celery.Celery) -> str:
    """Where the broker is, without its password."""
    with app.connection_for_write() as connection:
        address = str(connection.as_uri(mask=_MASK))
    return mask_text(address.replace(f"//:{_MASK}@", "//").replace(f":{_MASK}@", "@"))


def connect(app: celery.Celery, timeout: float) -> None:
    """See that the broker can be reached.

    Args:
        app: The project's app.
        timeout: Seconds to wait.

    Raises:
        TimeoutError: If it does not answer in time.
        Exception: Whatever the transport raises where it refuses.
    """

    def call() -> None:
        with open_connection(app, timeout):
            pass

    within(timeout, call)


def ping(app: celery.Celery, timeout: float) -> list[str]:
    """The workers that answer remote control.

    Args:
        app: The project's app.
        timeout: Seconds in which they may answer; they are always waited for.

    Raises:
        TimeoutError: If the broker does not answer in time.
        Exception: Whatever the transport raises where it refuses.
    """

    def call() -> list[str]:
        with open_connection(app, timeout) as connection:
            replies = app.control.ping(timeout=timeout, connection=connection) or []
        return sorted({hostname for reply in replies for hostname in reply})

    return within(3 * timeout, call)


def send_probe(app: celery.Celery, timeout: float) -> str:
    """Publish a task that does nothing to wherever tasks go by default.

    Args:
        app: The project's app.
        timeout: Seconds in which it may leave, and after which it expires.

    Returns:
        Its id.

    Raises:
        TimeoutError: If the broker does not take it in time.
        Exception: Whatever the transport raises where it refuses.
    """
    task_id = f"{INTERNAL}probe-{uuid.uuid4()}"

    def call() -> str:
        with open_connection(app, timeout) as connection:
            app.send_task(
                PROBE_TASK,
                task_id=task_id,
                connection=connection,
                expires=timeout,
                # RabbitMQ then takes it out of the queue by itself.
                expiration=timeout,
                ignore_result=True,
                retry=False,
            )
        return task_id

    return within(timeout, call)


def record_expired_probe(task_id: str) -> None:
    """Journal that a probe has expired, which no worker tells of that never takes it."""
    agent = bootstrap.installed()
    if agent is not None:
        detail = "expired"
        agent.note(
            events.TaskEvent(events.TASK_REVOKED, task_id, time.time(), PROBE_TASK, detail=detail)
        )


def probe_queue(app: celery.Celery) -> str:
    """The queue that the probe is sent to."""
    route: dict[str, Any] = app.amqp.router.route({}, PROBE_TASK)
    queue = route.get("queue")
    return str(getattr(queue, "name", queue) or "")


@contextlib.contextmanager
def open_connection(app: celery.Celery, timeout: float) -> Iterator[Connection]:
    """A connection that is there, from a single try."""
    with broker.opened(app.connection_for_write(connect_timeout=timeout), timeout) as connection:
        yield connection
