"""What workers do with tasks that are to be stopped, and what they answer."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import celery
from celery.exceptions import SoftTimeLimitExceeded

from z4j_django.agent import stacks
from z4j_django.control import broadcasting

#: What a worker says of a task that it runs, and of one that waits in it.
ACTIVE: Final = "active"
_SCHEDULED: Final = "scheduled"
#: Of the time in which a worker may tell a stack, the part for the stack itself.
_FIRST: Final = 0.7
#: How a reply to ``revoke`` begins that names the tasks which were terminated.
_TERMINATED: Final = re.compile(r"terminate: (?!tasks unknown$)(.*)", re.DOTALL)
#: What ends the task that asks the workers; nobody but the one who runs it may handle it.
INTERRUPTION: Final = SoftTimeLimitExceeded


@dataclass(frozen=True)
class Reply:
    """What a worker answered.

    Attributes:
        error: What went wrong there; empty where nothing did.
        terminated: Ids of the tasks that it knew, and terminates.
    """

    error: str = ""
    terminated: frozenset[str] = field(default_factory=frozenset)


def look(
    app: celery.Celery,
    task_ids: Collection[str],
    *,
    timeout: float,
    expected: Collection[str] = (),
    grace: float = 0.0,
    received: Collection[str] = (),
) -> dict[str, dict[str, str]]:
    """Where tasks are right now.

    Args:
        app: The project's app.
        task_ids: The tasks.
        timeout: Seconds in which the workers may answer.
        expected: Hostnames of those that should; once all have, the rest of the time is not waited
            for. Without any it always is.
        grace: Seconds in which others may still answer then.
        received: Those of the tasks that a worker took. One that no worker has by its id is looked
            for in their schedules: a worker before Celery 5.7 has it nowhere else until its eta.

    Returns:
        By hostname, for each worker that answered: the tasks that it has, and whether it runs them
        (:data:`ACTIVE`), or they wait in it (``reserved``, ``scheduled``).

    Raises:
        TimeoutError: If the broker does not answer in time.
        Exception: Whatever the transport raises where it refuses.
    """
    arguments = {"ids": list(task_ids)}
    found: dict[str, dict[str, str]] = {}
    for hostname, reply in broadcasting.to_all(
        app, "query_task", arguments, timeout, expected, grace
    ):
        states = found.setdefault(hostname, {})
        for task_id, told in reply.items() if isinstance(reply, dict) else ():
            if task_id in task_ids and isinstance(told, list | tuple) and told:
                states[task_id] = str(told[0])
    missing = set(received).difference(*found.values())
    if missing and found:
        for hostname, told in broadcasting.to_all(app, "scheduled", {}, timeout, found):
            waiting = missing.intersection(_scheduled(told))
            found.setdefault(hostname, {}).update(dict.fromkeys(waiting, _SCHEDULED))
    return found


def revoke(
    app: celery.Celery,
    task_ids: Collection[str],
    *,
    timeout: float,
    expected: Collection[str] = (),
    signal: str = "",
) -> dict[str, Reply]:
    """Have all workers refuse tasks, and end those that run if a signal is given.

    Args:
        app: The project's app.
        task_ids: The tasks.
        timeout: Seconds in which the workers may answer.
        expected: Hostnames of those that should; once all have, nobody else is waited for.
        signal: A signal's name, such as ``SIGTERM``; without one, what runs goes on.

    Returns:
        What each worker answered, by hostname.

    Raises:
        TimeoutError: If the broker does not answer in time.
        Exception: Whatever the transport raises where it refuses.
    """
    arguments: dict[str, Any] = {"task_id": list(task_ids), "terminate": bool(signal)}
    if signal:
        arguments["signal"] = signal
    replies: dict[str, Reply] = {}
    for hostname, told in broadcasting.to_all(app, "revoke", arguments, timeout, expected):
        reply, other = _reply(told), replies.get(hostname, Reply())
        replies[hostname] = Reply(reply.error or other.error, reply.terminated | other.terminated)
    return replies


def stack(app: celery.Celery, hostname: str, task_id: str, *, timeout: float) -> dict[str, Any]:
    """What a worker answers when it is asked what a task does, see ``agent.stacks``.

    A child of a pool may have ended the task, and begun another, before it wrote its stack down. So
    the worker is asked once more whether it still runs the task.

    Args:
        app: The project's app.
        hostname: The worker that runs it.
        task_id: The task.
        timeout: Seconds that both may take in all.

    Returns:
        Its answer; empty where there is none.

    Raises:
        TimeoutError: If the broker does not answer in time.
        Exception: Whatever the transport raises where it refuses.
    """
    until = time.monotonic() + timeout

    def asked(command: str, arguments: dict[str, Any], share: float) -> Any:
        left = (until - time.monotonic()) * share
        answers = broadcasting.to_some(app, command, arguments, [hostname], seconds=left)
        return next(iter(answers.get(hostname, ())), None)

    reply = asked(stacks.COMMAND, {"task_id": task_id}, _FIRST)
    if not isinstance(reply, dict) or "frames" not in reply:
        return reply if isinstance(reply, dict) else {}
    try:
        after = asked("query_task", {"ids": [task_id]}, 1.0)
    except TimeoutError:
        after = None
    told = after.get(task_id) if isinstance(after, dict) else None
    still = after is None or (isinstance(told, list | tuple) and told[:1] in ([ACTIVE], (ACTIVE,)))
    return reply if still else {"none": stacks.OVER}


def _scheduled(told: Any) -> Iterator[str]:
    """The ids of the tasks in a worker's schedule."""
    for entry in told if isinstance(told, list) else ():
        request = entry.get("request") if isinstance(entry, dict) else None
        if isinstance(request, dict):
            yield str(request.get("id"))


def _reply(told: Any) -> Reply:
    if not isinstance(told, dict):
        return Reply()
    if error := told.get("error"):
        return Reply(error=str(error)[:200])
    found = _TERMINATED.match(str(told.get("ok", "")))
    return Reply(terminated=frozenset(found[1].split(", ") if found else ()))
