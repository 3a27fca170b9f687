"""Tasks that the worker, their process or they themselves bring to an unusual end."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any, Never

from celery import Task, shared_task
from celery.exceptions import Reject, SoftTimeLimitExceeded


def _is_first(path: str) -> bool:
    """Whether this run is the first of those that share ``path``."""
    try:
        Path(path).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _die_at_first(path: str) -> str:
    if _is_first(path):
        os.kill(os.getpid(), signal.SIGKILL)
    return "the second time"


@shared_task(name="exhaust", bind=True, max_retries=2)
def exhaust(self: Task) -> Never:
    raise self.retry(exc=ConnectionError("nobody answers"), countdown=0)


@shared_task(name="requeue_once", acks_late=True)
def requeue_once(path: str) -> str:
    if _is_first(path):
        raise Reject("not now", requeue=True)
    return "the second time"


@shared_task(name="overrun_softly", soft_time_limit=1)
def overrun_softly() -> None:
    threading.Event().wait(60)


@shared_task(name="overrun_with_care", soft_time_limit=1)
def overrun_with_care() -> str:
    try:
        threading.Event().wait(60)
    except SoftTimeLimitExceeded:
        return "cleaned up"
    return "never"


@shared_task(name="die_late", acks_late=True)
def die_late(path: str) -> str:
    return _die_at_first(path)


@shared_task(name="die_rejected", acks_late=True, reject_on_worker_lost=True)
def die_rejected(path: str) -> str:
    return _die_at_first(path)


@shared_task(name="die_retried", retry_on_worker_lost=True, default_retry_delay=0)
def die_retried(path: str) -> str:
    return _die_at_first(path)


@shared_task(name="wait_late", acks_late=True)
def wait_late(path: str) -> str:
    """Runs until someone makes the file; its message is still the broker's."""
    pause = threading.Event()
    while not Path(path).exists():
        pause.wait(0.02)
    return "it is here"


@shared_task(name="count_down")
def count_down(x: int) -> int:
    return x - 1


@shared_task(name="note_error")
def note_error(request: Any, exception: Any, traceback: Any) -> str:
    return "noted"


@shared_task(name="note_id")
def note_id(task_id: str) -> str:
    return "noted"
