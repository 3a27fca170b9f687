"""Messages to the workers, and what they answer within a time."""

from __future__ import annotations

import copy
import sys
import threading
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
#: Seconds of the time in all in which nobody is heard any more, a fifth of it at most: so that the
#: silence of workers is told from the broker's.
_MARGIN: Final = 0.4


def patience(app: celery.Celery, seconds: float) -> float:
    """Seconds to wait, where a transport that looks for messages every so often takes longer."""
    with app.connection_for_write() as connection:
        polls = getattr(connection.transport, "polling_interval", None) or 0.0
    return seconds + 6 * float(polls)


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
    twins: bool = False,
) -> dict[str, list[Any]]:
    """Tell workers a command by their names, or ask them.

    Args:
        app: The project's app.
        command: Of Celery's remote control: what it calls control, or inspect.
        arguments: Its.
        hostnames: The workers.
        seconds: The time that it may take in all, however the broker behaves.
        twins: Whether to wait a little longer, for a second worker of one name.

    Returns:
        What was answered, by hostname; more than one answer where several workers have one name,
        and nothing of those that did not answer.

    Raises:
        TimeoutError: If the broker does not answer in time. Whether the workers were told is
            unknown then.
        Exception: Whatever the transport raises where it refuses.
    """
    until = time.monotonic() + seconds - min(_MARGIN, seconds / 5)
    over, heard, ended = threading.Event(), list[Any](), dict[str, Any]()

    def listening(connection: Connection) -> broadcasts.Deadline:
        left = max(until - time.monotonic(), 0.0)
        deadline = broadcasts.Deadline(connection, left, hostnames, _TWINS if twins else 0.0)
        deadline.over, deadline.heard = over, heard
        return deadline

    # By default it stops after as many answers as there are names.
    given = {"arguments": arguments, "timeout": seconds, "limit": sys.maxsize}
    given["destination"] = list(hostnames)

    def run() -> None:
        try:
            ended["found"] = _heard(app, command, listening, given)
        except Exception as error:  # it is raised again
            ended["error"] = error
        finally:
            over.set()

    threading.Thread(target=run, name="z4j-broadcast", daemon=True).start()
    if not over.wait(seconds):
        raise TimeoutError(f"no answer within {seconds:g} s")
    if "error" in ended:
        raise ended["error"]
    answers: dict[str, list[Any]] = {}
    for hostname, told in _told(ended.get("found", list(heard))):
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
        found: Sequence[Any] | None = _own(app.control).broadcast(
            command, connection=connection, reply=True, callback=deadline.hear, **given
        )
    return found or ()


def _own(control: Any) -> Any:
    """Celery's control, but it publishes on the connection that it is given.

    Celery would take one of the app's pool, which has other timeouts, and may have none left.
    """
    own = copy.copy(control)
    own.mailbox = copy.copy(own.mailbox)
    own.mailbox.producer_pool = None
    return own


def _told(answers: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for answer in answers:
        if isinstance(answer, dict):
            yield from answer.items()
