"""Tasks for groups and chords that go well only once somebody has mended them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Task, shared_task

FOLDER = Path(os.environ["DEMO_DIR"])
#: While it is there, what can break breaks.
BROKEN = FOLDER / "broken"
#: A line for each run: the task's name, and what it was called with.
RUNS = FOLDER / "runs"


def note(name: str, value: object) -> None:
    """Write down that a task ran."""
    with RUNS.open("a") as file:
        file.write(f"{name} {value}\n")


@shared_task(name="seat")
def seat(number: int, breaks: bool = False) -> int:
    note("seat", number)
    if breaks and BROKEN.exists():
        raise ValueError(f"seat {number} is broken")
    return number


@shared_task(name="stubborn", bind=True, max_retries=1)
def stubborn(self: Task, number: int) -> int:
    """Tries twice."""
    note("stubborn", number)
    if BROKEN.exists():
        raise self.retry(exc=ConnectionError("nobody answers"), countdown=0)
    return number


@shared_task(name="step")
def step(value: int, more: int, breaks: bool = False) -> int:
    note("step", f"{value}+{more}")
    if breaks and BROKEN.exists():
        raise ValueError("the step is broken")
    return value + more


@shared_task(name="listing")
def listing(values: list[Any], breaks: bool = False) -> list[Any]:
    note("listing", len(values))
    if breaks and BROKEN.exists():
        raise ValueError("the body is broken")
    return values


@shared_task(name="count")
def count(values: list[Any]) -> int:
    note("count", len(values))
    return len(values)


@shared_task(name="wrap")
def wrap(value: Any, word: str) -> dict[str, Any]:
    note("wrap", word)
    return {word: value}
