"""The one place where the process tests wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

#: Seconds between two looks.
POLL: Final = 0.05


def wait_until(condition: Callable[[], T], timeout: float, what: str, poll: float = POLL) -> T:
    """The first true value of ``condition``.

    Args:
        condition: Asked again and again.
        timeout: Seconds after which the test fails.
        what: What is waited for, for the message.
        poll: Seconds between two looks.

    Raises:
        AssertionError: If it stays false.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {timeout:g} s: {what}")
        time.sleep(poll)
    return value
