"""Calls that may hang, with a bound on how long anyone waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """What ``call`` returns, or what it raises.

    It runs in a thread of its own, which is left behind where it takes too long; so it closes
    what it opens itself.

    Args:
        seconds: How long to wait.
        call: What may hang.

    Raises:
        TimeoutError: If it takes longer.
    """
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["value"] = call()
        except Exception as error:
            outcome["error"] = error

    thread = threading.Thread(target=run, name="z4j-timeout", daemon=True)
    thread.start()
    thread.join(seconds)
    if "error" in outcome:
        raise outcome["error"]
    if "value" not in outcome:
        raise TimeoutError(f"no answer within {seconds:g} s")
    value: T = outcome["value"]
    return value
