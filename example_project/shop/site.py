"""``manage.py demo``: worker, beat and site side by side, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import sys
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.core.management.base import CommandError
from django.urls import reverse

from example_project.celery import app
from example_project.shop import jobs, prepare
from example_project.shop.supervise import StopRequest, Supervisor, stop_on_signals
from z4j_django import states
from z4j_django.models import TaskRecord

_STOP_SECONDS = 10.0
_PORTS_TRIED = 50
#: Until the work that is sent at first is over, and how often its records are looked at.
_SETTLE_SECONDS = 15.0
_LOOK_SECONDS = 0.2
_COLOURS = {"worker": 32, "beat": 35, "site": 36}


def free_port(port: int) -> int:
    """The first port from ``port`` on that nobody listens on at 127.0.0.1.

    Raises:
        CommandError: None of the next fifty is free.
    """
    for candidate in range(port, port + _PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
    raise CommandError(f"No port is free between {port} and {port + _PORTS_TRIED - 1}.")


def prefixed(name: str, line: str, *, colour: bool) -> str:
    """A line of a program's output with the program's name before it."""
    prefix = f"{name:>6} | "
    return f"\x1b[{_COLOURS.get(name, 0)}m{prefix}\x1b[0m{line}" if colour else prefix + line


def run(wanted_port: int, say: Callable[[str], None]) -> None:
    """Runs worker, beat and site until a signal or until one of them ends.

    Args:
        wanted_port: Port for the site; the next free one where it is taken.
        say: Called with each line for the user.

    Raises:
        CommandError: One of the programs ended by itself.
    """
    port = free_port(wanted_port)
    if port != wanted_port:
        say(f"Port {wanted_port} is taken; using {port}.")
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    lock = threading.Lock()

    def write(name: str, line: str) -> None:
        with lock:
            print(prefixed(name, line, colour=colour), flush=True)

    with stop_on_signals() as request:
        supervisor = Supervisor(write, settings.BASE_DIR)
        for name, arguments in _programs(port).items():
            supervisor.start(name, arguments)
        try:
            _await_worker(supervisor, request)
            say("All is up. Some work of each kind is sent, and is over in a few seconds.")
            _await_end(_submit_some(), supervisor, request)
            _greet(port, say)
            ended = supervisor.wait(request, Enter(_terminal(), lambda: _greet(port, say)))
        finally:
            with contextlib.suppress(OSError):  # the terminal may be closed
                say("Stopping worker, beat and site.")
            supervisor.stop(_STOP_SECONDS)
    if ended:
        raise CommandError(f"Ended by itself: {ended}.")


def _programs(port: int) -> dict[str, list[str]]:
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "example_project"]
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    name = f"shop-{os.getpid()}@%h"
    queue = settings.CELERY_TASK_DEFAULT_QUEUE
    return {
        "worker": [*celery, "worker", "-c", "2", "-l", "WARNING", "-n", name, "-Q", queue],
        "beat": [*celery, "beat", "-l", "WARNING", "--pidfile="],
        "site": [*manage, "runserver", "--noreload", f"127.0.0.1:{port}"],
    }


def _await_worker(supervisor: Supervisor, request: StopRequest) -> None:
    while not (request or supervisor.ended() or app.control.ping(timeout=1, limit=1)):
        pass


def _submit_some() -> list[str]:
    """Sends one job of every kind that ends by itself; the ids of the tasks that will run."""
    dice = random.Random()
    sent = [jobs.send(kind.make(dice)) for kind in jobs.ending()]
    return [one.task_id for job in sent for one in job.expected if one.starts]


def _await_end(task_ids: list[str], supervisor: Supervisor, request: StopRequest) -> None:
    """Waits until the tasks are over on record, for some seconds: so the address comes last."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    over = TaskRecord.objects.filter(task_id__in=task_ids, state__in=states.FINISHED)
    while time.monotonic() < deadline and over.count() < len(task_ids):
        if request or supervisor.ended():
            return
        time.sleep(_LOOK_SECONDS)


class Enter:
    """Pauses, and answers whoever presses Enter meanwhile.

    Args:
        fd: Where it is read from; ``None`` for nowhere.
        answer: Called for each.
    """

    def __init__(self, fd: int | None, answer: Callable[[], None]) -> None:
        self._fd = fd
        self._answer = answer

    def __call__(self, seconds: float) -> None:
        """Pauses for so long at most."""
        if self._fd is None:
            time.sleep(seconds)
        elif select.select([self._fd], [], [], seconds)[0]:
            if os.read(self._fd, 1024):
                self._answer()
            else:
                self._fd = None


def _terminal() -> int | None:
    return sys.stdin.fileno() if sys.stdin and sys.stdin.isatty() else None


def _greet(port: int, say: Callable[[str], None]) -> None:
    address = f"http://127.0.0.1:{port}"
    token = prepare.token()
    with_password = " with admin / admin" if token else ""
    say("")
    say(f"  The shop     {address}/")
    say(f"  The records  {address}/admin/z4j_django/{with_password}")
    say(f"  The API      {address}{reverse('z4j_api:docs')}{with_password}")
    if token:
        say(f"    curl -H 'Authorization: Token {token}' {address}{reverse('z4j_api:tasks')}")
    again = "Enter shows this again. " if _terminal() is not None else ""
    say(f"  {again}Ctrl-C stops everything.")
    say("")
