"""Messages to the workers, and what they answer within a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

import celery
from kombu.connection import Connection

from z4j_django import broadcasts
from z4j_django.control.connecting import open_connection
from z4j_django.timeouts import within

#: Seconds in which the second of two workers with one name may answer, after the first has.
_TWINS: Final = 0.2
#: Of the time in all, what is left for closing: so that silence of the workers is told from the
#: broker's.
_CLOSING: Final = 0.9


def has_remote_control(app: celery.Celery) -> bool:
    """Whether the broker's transport carries messages to all workers."""
    with app.connection_for_write() as connection:
        return broadcasts.is_heard(connection)


def to_all(
    app: celery.Celery,
    command: str,
    arguments: dict[str, Any],
    timeout: float,
    expected: Collection[str],
    grace: float = 0.0,
) -> Iterator[tuple[str, Any]]:
    """Who answered, and what; twice where two workers have one name.

    Args:
        app: The project's app.
        command: Of Celery's remote control.
        arguments: Its.
        timeout: Seconds in which the workers may answer.
        expected: Hostnames of those that should; once all have, nobody else is waited for.
        grace: Seconds in which others may still answer then.

    Raises:
        TimeoutError: If the broker does not answer in time.
        Exception: Whatever the transport raises where it refuses.
    """

    def listening(connection: Connection) -> broadcasts.Deadline:
        return broadcasts.Deadline(connection, timeout, expected, grace)

    given = {"arguments": arguments, "timeout": timeout}
    return _told(within(4 * timeout, lambda: _heard(app, command, listening, given)))


def to_some(
    app: celery.Celery,
    command: str,
    arguments: dict[str, Any],
    hostnames: Collection[str],
    *,
    seconds: float,
    expected: Collection[str] | None = None,
) -> dict[str, list[Any]]:
    """Tell workers a command by their names, or ask them.

    Args:
        app: The project's app.
        command: Of Celery's remote control: what it calls control, or inspect.
        arguments: Its.
        hostnames: The workers.
        seconds: The time that it may take in all, however the broker behaves.
        expected: Those of them that are waited for; by default all.

    Returns:
        What was answered, by hostname; more than one answer where several workers have one name,
        and nothing of those that did not answer.

    Raises:
        TimeoutError: If the broker does not answer in time. Whether the workers were told is
            unknown then.
        Exception: Whatever the transport raises where it refuses.
    """
    until = time.monotonic() + seconds * _CLOSING
    awaited = hostnames if expected is None else expected

    def listening(connection: Connection) -> broadcasts.Deadline:
        return broadcasts.Deadline(connection, max(until - time.monotonic(), 0.0), awaited, _TWINS)

    # By default it stops after as many answers as there are names.
    given = {"arguments": arguments, "timeout": seconds, "limit": sys.maxsize}
    given["destination"] = list(hostnames)
    answers: dict[str, list[Any]] = {}
    for hostname, told in _told(within(seconds, lambda: _heard(app, command, listening, given))):
        if hostname in hostnames:
            answers.setdefault(hostname, []).append(told)
    return answers


def _heard(
    app: celery.Celery,
    command: str,
    listening: Callable[[Connection], broadcasts.Deadline],
    given: dict[str, Any],
) -> Sequence[Any]:
    with open_connection(app, given["timeout"]) as connection:
        deadline = listening(connection)
        found: Sequence[Any] | None = app.control.broadcast(
            command, connection=connection, reply=True, callback=deadline.hear, **given
        )
    return found or ()


def _told(answers: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for answer in answers:
        if isinstance(answer, dict):
            yield from answer.items()
