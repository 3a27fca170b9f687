"""What happened, as the processes themselves tell it: the truth that the records are held to.

Each process appends to a file of its own, one ``write()`` a line: the kind, the retries, the
monotonic and the wall clock, the task's id. It knows little of ``z4j_django``: the order of the
two, as the line of a start, a delivery or a send is written after the event, that of an end before
it; and which events of workers, that have no line, could not be written.
"""

from __future__ import annotations

import atexit
import os
import secrets
import time
from pathlib import Path
from typing import Any, Final

from celery import Task, signals
from celery.exceptions import Reject, Retry
from celery.worker.request import Request
from django.conf import settings

from z4j_django.agent import bootstrap, events

#: What a process that ends in good order writes last.
BYE: Final = "bye"
#: An event of a worker, a heartbeat say, that is lost: its record raised.
UNWRITTEN: Final = "unwritten"
SUFFIX: Final = ".ledger"


class _Book:
    """The file of this process."""

    def __init__(self) -> None:
        self.role = "publisher"
        self._pid = 0
        self._fd = -1

    def write(self, kind: str, task_id: str = "-", retries: int = 0) -> None:
        """Append a line."""
        pid = os.getpid()
        if self._pid != pid:
            self._open(pid)
        times = f"{time.monotonic_ns()} {time.time():.6f}"
        os.write(self._fd, f"{kind} {retries} {times} {task_id}\n".encode())

    def _open(self, pid: int) -> None:
        folder = Path(settings.CHAOS_LEDGER)
        folder.mkdir(exist_ok=True)
        path = folder / f"{pid}-{self.role}-{secrets.token_hex(4)}{SUFFIX}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o600)
        self._pid = pid


book = _Book()


class LedgerRequest(Request):
    """A message in the hands of a worker's main process, which may find its child dead."""

    failing: LedgerRequest | None = None

    def on_failure(self, *args: Any, **kwargs: Any) -> Any:
        """As Celery's own; the signal that it sends does not say which request it is about."""
        LedgerRequest.failing = self
        try:
            return super().on_failure(*args, **kwargs)
        finally:
            LedgerRequest.failing = None


class LedgerTask(Task):
    """A task whose body is enclosed by two lines of the ledger, and each send followed by one."""

    Request = f"{__name__}:LedgerRequest"
    #: The run of this process, until Celery fails around it: when it stores the result, say.
    running: tuple[str, int] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body."""
        request = self.request
        book.write("started", request.id, request.retries)
        LedgerTask.running = (request.id, request.retries)
        outcome = "failed"
        try:
            value = self.run(*args, **kwargs)
            outcome = "succeeded"
        except Retry:
            outcome = "retry"
            raise
        except Reject:
            outcome = "rejected"
            raise
        finally:
            book.write(outcome, request.id, request.retries)
        return value

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        """Publish."""
        result = super().apply_async(*args, **kwargs)
        book.write("sent", result.id, kwargs.get("retries", 0))
        return result


@signals.worker_init.connect
def _begin_main(**kwargs: Any) -> None:
    """Listen after the agent, which has connected by now."""
    book.role = "main"
    book.write("hello")
    _tell_what_is_unwritten()
    main = os.getpid()

    def received(request: Any, **kwargs: Any) -> None:
        book.write("received", request.id, request.request_dict["retries"])

    def failed(task_id: str, exception: Any, **kwargs: Any) -> None:
        if isinstance(exception, Reject):
            return  # Celery 5.7 tells a rejection as a failure, too
        if os.getpid() == main and LedgerRequest.failing is not None:
            retries = LedgerRequest.failing.request_dict["retries"]
            book.write("failed", task_id, retries)

    def failed_inside(task_id: str, **kwargs: Any) -> None:
        told = LedgerTask.running
        if told is not None and told[0] == task_id:
            LedgerTask.running = None  # Celery may tell it twice
            book.write("failed", *told)

    def end() -> None:
        if os.getpid() == main:
            book.write(BYE)

    signals.task_internal_error.connect(failed_inside, weak=False)
    signals.task_received.connect(received, weak=False)
    signals.task_failure.connect(failed, weak=False)
    atexit.register(end)


def _tell_what_is_unwritten() -> None:
    """Workers beat by the clock: whether a beat meets a full disk, no line of a task says."""
    agent = bootstrap.installed()
    assert agent is not None
    record = agent.record

    def told(event: events.Event) -> None:
        try:
            record(event)
        except Exception:
            if isinstance(event, events.WorkerEvent):
                book.write(UNWRITTEN, event.kind)
            raise

    agent.record = told  # type: ignore[method-assign]


@signals.worker_process_init.connect
def _begin_child(**kwargs: Any) -> None:
    book.role = "child"
    book.write("hello")


@signals.worker_process_shutdown.connect
def _end_child(**kwargs: Any) -> None:
    book.write(BYE)
