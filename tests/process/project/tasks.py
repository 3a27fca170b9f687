"""Tasks that end in every way a task can. How each ends follows from its arguments."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Never

from celery import Task, shared_task
from celery.exceptions import Ignore, Reject


class Basket(dict[str, Any]):
    """Nobody may print one."""

    def __repr__(self) -> str:
        raise RuntimeError("a basket has no repr")


@shared_task(name="add")
def add(x: int, y: int, *, note: str = "") -> int:
    return x + y


@shared_task(name="total")
def total(numbers: list[int]) -> int:
    return sum(numbers)


@shared_task(name="fail")
def fail(message: str) -> Never:
    raise ValueError(message)


@shared_task(name="flaky", bind=True, max_retries=5)
def flaky(self: Task, failures: int) -> int:
    if self.request.retries < failures:
        raise self.retry(exc=ConnectionError("nobody answers"), countdown=0)
    return failures


@shared_task(name="publish_another", bind=True)
def publish_another(self: Task, task_id: str) -> str:
    return str(add.apply_async((7, 8), task_id=task_id).id)


@shared_task(name="replace_itself", bind=True)
def replace_itself(self: Task, x: int) -> Any:
    return self.replace(add.s(x, 1))


@shared_task(name="ignore")
def ignore() -> Never:
    raise Ignore


@shared_task(name="reject", acks_late=True)
def reject() -> Never:
    raise Reject("not for us", requeue=False)


@shared_task(name="overrun", time_limit=1)
def overrun() -> None:
    threading.Event().wait(60)


@shared_task(name="kill_itself")
def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@shared_task(name="leave")
def leave(code: int) -> Never:
    sys.exit(code)


@shared_task(name="need_file")
def need_file(path: str) -> int:
    return Path(path).stat().st_size


@shared_task(name="measure")
def measure(text: str) -> int:
    return len(text)


@shared_task(name="carry")
def carry(basket: dict[str, Any]) -> Basket:
    return Basket(basket)


@shared_task(name="wait_for_file")
def wait_for_file(path: str) -> str:
    """Runs until someone makes the file."""
    pause = threading.Event()
    while not Path(path).exists():
        pause.wait(0.02)
    return "it is here"
