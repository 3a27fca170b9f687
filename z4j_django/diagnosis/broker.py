"""The broker and the workers behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from z4j_django import control
from z4j_django.diagnosis.findings import Finding, Visit, error, ok, reason, warning

#: Seconds in which workers answer a ping; all of it is always waited.
PING: Final = 2.0


def broker(visit: Visit) -> Iterator[Finding]:
    """Whether the broker can be reached."""
    if visit.app is None:
        return
    if visit.app.conf.task_always_eager:
        yield warning(
            "task_always_eager is on: tasks run in the process that calls them, and reach no "
            "broker and no worker.",
            "Switch it off outside of tests.",
        )
        return
    address = control.broker_address(visit.app)
    try:
        control.connect(visit.app, visit.timeout)
    except Exception as problem:  # whatever a transport raises
        yield error(
            f"The broker at {address} can't be reached: {reason(problem)}",
            "Start it, or correct the app's broker_url.",
        )
        return
    visit.broker = True
    yield ok(f"The broker at {address} answers.")


def remote_control(visit: Visit) -> Iterator[Finding]:
    """Which workers answer."""
    if not visit.broker:
        return
    seconds = min(PING, visit.timeout)
    try:
        hostnames = control.ping(visit.app, seconds)
    except Exception as problem:  # whatever a transport raises
        yield warning(
            f"Remote control can't be used: {reason(problem)}",
            "Not every broker has it. Tasks are recorded all the same.",
        )
        return
    if hostnames:
        yield ok(f"Remote control answers: {', '.join(hostnames)}.")
    else:
        yield warning(
            f"Remote control: no worker answered within {seconds:g} s.",
            "Start a worker: celery -A <the project> worker. One that runs and does not answer is "
            "busy in a solo pool, has worker_enable_remote_control off, or uses another broker.",
        )
