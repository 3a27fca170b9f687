"""Remote control as kombu has it, without Celery: what workers are told, and what they answer.

A shipper that knows nothing of the project tells them. So kombu is imported when it does, and not
before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kombu.connection import Connection

#: What makes a mailbox the one of a Celery app; older kombus know fewer.
_SETTINGS: Final = (
    *("namespace", "type", "serializer", "queue_ttl", "queue_expires", "queue_durable"),
    *("queue_exclusive", "reply_queue_ttl", "reply_queue_expires"),
)
#: Seconds in which others than those that are expected may answer.
_GRACE: Final = 0.5
#: Seconds of one look for answers: a transport may take twice as long as it is told.
_SLICE: Final = 0.25


def describe(app: Any) -> dict[str, Any]:
    """What another process needs to tell the workers of a Celery app something, as plain data."""
    mailbox = app.control.mailbox
    found = {name: getattr(mailbox, name) for name in _SETTINGS if hasattr(mailbox, name)}
    return {**found, "accept": sorted(map(str, mailbox.accept))}


def is_heard(connection: Connection) -> bool:
    """Whether the broker's transport carries messages to all workers."""
    return bool(connection.supports_exchange_type("fanout"))


def ask(
    connection: Connection,
    mailbox: Mapping[str, Any],
    command: str,
    arguments: Mapping[str, Any],
    *,
    seconds: float,
    only: Collection[str] | None = None,
    expected: Collection[str] = (),
) -> dict[str, Any]:
    """Have workers carry out a command of Celery's remote control.

    Args:
        connection: To the broker; of nobody else's, and closed afterwards.
        mailbox: What :func:`describe` told of the app's.
        command: Its name.
        arguments: The command's.
        seconds: In which they may answer.
        only: Hostnames of those that are meant; all by default.
        expected: Those that should answer: once all have, others are waited for a moment only.

    Returns:
        What each of them answered, by hostname.
    """
    from kombu.pidbox import Mailbox

    deadline = Deadline(connection, seconds, expected, 0.0 if only is not None else _GRACE)
    try:
        told = Mailbox(**mailbox, connection=connection)._broadcast(
            command,
            dict(arguments),
            destination=None if only is None else list(only),
            reply=True,
            timeout=seconds,
            callback=deadline.hear,
        )
    finally:
        deadline.end()
    found: dict[str, Any] = {}
    for answer in told or ():
        if isinstance(answer, dict):
            found.update(answer)
    return found


class Deadline:
    """Has a connection listen until all who are expected have answered, and a grace longer.

    kombu itself stops after a number of answers, whoever gave them, or waits anew after each.
    """

    def __init__(
        self, connection: Connection, timeout: float, expected: Collection[str], grace: float
    ) -> None:
        self._missing = set(expected)
        self._until = time.monotonic() + timeout
        # A transport that polls is late by up to an interval, and so is the worker.
        polls = getattr(connection.transport, "polling_interval", None) or 0.0
        self._grace = grace and grace + 2 * polls
        #: Set once nobody is listened to any more; the connection may take a second to close.
        self.over = threading.Event()
        #: What was answered by then.
        self.heard: list[Any] = []
        self._connection = connection
        self._drain: Callable[..., Any] = connection.drain_events
        connection.drain_events = self.drain  # type: ignore[method-assign]  # ours alone, until closed

    def hear(self, answer: Any) -> None:
        """Cross off who answered."""
        self.heard.append(answer)
        if self._missing and isinstance(answer, dict):
            self._missing.difference_update(answer)
            if not self._missing:
                self._until = min(self._until, time.monotonic() + self._grace)

    def end(self) -> None:
        """Let the connection be as it was."""
        del self._connection.drain_events

    def drain(self, **kwargs: Any) -> Any:
        """Wait for the next answer, as long as there is time."""
        while (left := self._until - (begun := time.monotonic())) > 0:
            length = min(left, _SLICE)
            try:
                return self._drain(**{**kwargs, "timeout": length})
            except TimeoutError:  # the transport's own, too
                if time.monotonic() - begun < length / 2:
                    break  # it does not wait at all
        self.over.set()
        raise TimeoutError
