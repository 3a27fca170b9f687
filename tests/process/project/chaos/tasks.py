"""The mixed workload."""

from __future__ import annotations

import threading
from typing import Never

from celery import Task, shared_task

#: Delivered again if its worker or its child is killed.
LATE = {"acks_late": True, "reject_on_worker_lost": True}


@shared_task
def succeed(x: int) -> int:
    return x


@shared_task(**LATE)
def succeed_late(x: int) -> int:
    return x


@shared_task
def fail(x: int) -> Never:
    raise ValueError(f"no luck with {x}")


@shared_task(bind=True, max_retries=5, **LATE)
def flaky(self: Task, failures: int) -> int:
    if self.request.retries < failures:
        raise self.retry(exc=ConnectionError("nobody answers"), countdown=0)
    return failures


@shared_task
def parent(count: int) -> int:
    for number in range(count):
        succeed.delay(number)
    return count


@shared_task
def work(seconds: float) -> float:
    threading.Event().wait(seconds)
    return seconds


@shared_task(**LATE)
def work_late(seconds: float) -> float:
    threading.Event().wait(seconds)
    return seconds


@shared_task
def measure(text: str) -> int:
    return len(text)


@shared_task(ignore_result=False)
def member(x: int) -> int:
    return x


@shared_task(ignore_result=False)
def total(numbers: list[int]) -> int:
    return sum(numbers)


@shared_task
def add(x: int, y: int) -> int:
    return x + y
