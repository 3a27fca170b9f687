"""Queues: how many messages lie in one, and taking them out without losing any."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final

import celery
import msgspec

from z4j_django import broker
from z4j_django.agent import bootstrap, events, messages, sampling
from z4j_django.control import draining
from z4j_django.control.connecting import open_connection
from z4j_django.control.draining import Found
from z4j_django.timeouts import within

__all__ = ["Drain", "Found", "count_messages", "peek", "record_purge", "task_of"]

#: Seconds in which a connection must close.
_CLOSING: Final = 2.0


def count_messages(app: celery.Celery, queue: str, timeout: float) -> int | None:
    """How many messages wait in a queue; those that a worker holds are not in it.

    Args:
        app: The project's app.
        queue: Its name.
        timeout: Seconds to wait.

    Returns:
        The number; ``None`` where RabbitMQ has no such queue. On other transports a queue that
        is not there is as good as an empty one.

    Raises:
        TimeoutError: If the broker does not answer in time.
        Exception: Whatever the transport raises where it refuses.
    """

    def call() -> int | None:
        with open_connection(app, timeout) as connection:
            return broker.size(connection, queue)

    return within(timeout, call)


def peek(app: celery.Celery, queue: str, limit: int, timeout: float) -> list[Found]:
    """The first messages of a queue, which stay where and as they are.

    Args:
        app: The project's app.
        queue: Its name.
        limit: How many at most.
        timeout: Seconds to wait.

    Raises:
        OperationError: If the transport has no way to.
        TimeoutError: If the broker does not answer in time.
        Exception: Whatever the transport raises where it refuses.
    """

    def call() -> list[Found]:
        with open_connection(app, timeout) as connection:
            return draining.reader(connection, queue).peek(limit)

    return within(timeout, call)


class Drain:
    """Takes messages out of a queue, each only when it is told to. A context manager.

    What was read and not removed stays in the queue, or goes back to it.

    Args:
        app: The project's app.
        queue: The queue's name.
        timeout: Seconds that the broker has for each call.
    """

    def __init__(self, app: celery.Celery, queue: str, timeout: float) -> None:
        self._app = app
        self._queue = queue
        self._timeout = timeout
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Drain:
        within(self._timeout, self._open)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(Exception):  # a broker that is away has the messages anyway
            within(_CLOSING, self._stack.close)

    def read(self, limit: int) -> list[Found]:
        """The next messages, ``limit`` at most; none at the end of the queue.

        Raises:
            TimeoutError: If the broker does not answer in time.
            Exception: Whatever the transport raises.
        """
        return within(self._timeout, lambda: self._reader.read(limit))

    def remove(self, found: Sequence[Found]) -> list[bool]:
        """Remove messages that were read.

        Returns:
            Of each, whether it was still there: a worker may have taken it meanwhile.

        Raises:
            TimeoutError: If the broker does not answer in time; it may have removed them.
            Exception: Whatever the transport raises.
        """
        return within(self._timeout, lambda: self._reader.remove(found))

    def _open(self) -> None:
        connection = self._stack.enter_context(open_connection(self._app, self._timeout))
        self._reader = draining.reader(connection, self._queue)
        self._stack.callback(self._reader.give_back)


def task_of(found: Found) -> tuple[str, str]:
    """The id and the name of a message's task, as its headers say; empty where they say none."""
    return messages.text(found.headers.get("id")), messages.text(found.headers.get("task"))


def record_purge(found: Iterable[Found], queue: str, detail: str) -> None:
    """Journal that tasks were revoked, which Celery tells nobody of.

    It is no end: the message may be put back, and its task runs after all.

    Args:
        found: Their messages; those that name no task are passed over.
        queue: Where they were.
        detail: Why, in words.
    """
    agent = bootstrap.installed()
    if agent is None:
        return
    for each in found:
        stamp = messages.stamp(each.headers)
        if task_of(each)[0] and stamp.get("keep") != sampling.NOTHING:
            agent.note(_purged(each, queue, detail, stamp))


def _purged(found: Found, queue: str, detail: str, stamp: dict[str, Any]) -> events.TaskEvent:
    event = messages.delivered(
        events.TASK_REVOKED,
        found.headers,
        found.delivery,
        at=time.time(),
        stamped=stamp,
        sent_at=messages.moment(stamp, "at"),
        detail=detail,
        requeued=True,
    )
    message = event.message and msgspec.structs.replace(event.message, queue=queue)
    return msgspec.structs.replace(event, message=message)
