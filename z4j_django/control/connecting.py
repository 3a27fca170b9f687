"""Whether the broker and the workers are there.

Every call has a bound in seconds, opens a connection of its own and does not try again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import celery
from kombu.connection import Connection

from z4j_django.secrets.masking import mask_text
from z4j_django.timeouts import within

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

    def call() -> str:
        with open_connection(app, timeout) as connection:
            sent = app.send_task(
                PROBE_TASK, connection=connection, expires=timeout, ignore_result=True, retry=False
            )
        return str(sent.id)

    return within(timeout, call)


def probe_queue(app: celery.Celery) -> str:
    """The queue that the probe is sent to."""
    route: dict[str, Any] = app.amqp.router.route({}, PROBE_TASK)
    queue = route.get("queue")
    return str(getattr(queue, "name", queue) or "")


@contextlib.contextmanager
def open_connection(app: celery.Celery, timeout: float) -> Iterator[Connection]:
    """A connection that is there, from a single try."""
    with app.connection_for_write(connect_timeout=timeout) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=timeout)
        yield connection
