"""How deep queues are, for pages that can't wait for a broker that says nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from z4j_django import operations
from z4j_django.patience import within

#: Seconds that one page waits for the broker.
PATIENCE: Final = 5.0


def count(name: str, seconds: float = PATIENCE) -> int | None:
    """The messages that wait in a queue; None where nobody tells their number in time.

    Args:
        name: The queue's.
        seconds: How long to wait.
    """
    if seconds <= 0:
        return None
    try:
        return within(seconds, lambda: operations.count_messages(name))
    except TimeoutError:
        return None


def count_many(names: Iterable[str], seconds: float = PATIENCE) -> dict[str, int | None]:
    """The same of each of some queues, one after the other.

    Args:
        names: The queues'.
        seconds: How long to wait for all of them together; those that are left are not asked for.
    """
    patient_until = time.monotonic() + seconds
    return {name: count(name, patient_until - time.monotonic()) for name in names}
