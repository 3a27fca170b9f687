"""How deep queues are, for pages that can't wait for a broker that says nothing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import Final

from z4j_django import logs, wiring
from z4j_django.control import queues
from z4j_django.exceptions import Z4JError
from z4j_django.secrets.masking import mask_text
from z4j_django.timeouts import within

logger = logs.logger("z4j_django.control")

#: Seconds that one page waits for the broker.
TIMEOUT: Final = 5.0
#: Seconds in which the broker must answer, where nobody waits for a page.
_ANSWER: Final = 10.0


def count_messages(name: str) -> int | None:
    """How many messages wait in a queue; those that a worker holds already are not in it.

    Args:
        name: The queue's.

    Returns:
        The number; ``None`` where the broker does not answer, or has no such queue.
    """
    try:
        return queues.count_messages(wiring.find_celery_app().app, name, _ANSWER)
    except Exception as error:  # whatever the transport raises
        told = str(error) if isinstance(error, Z4JError) else f"{type(error).__name__}: {error}"
        logger.warning("The messages of %r can't be counted: %s", name, mask_text(told))
        return None


def count(name: str, seconds: float = TIMEOUT) -> int | None:
    """The messages that wait in a queue; None where nobody tells their number in time.

    Args:
        name: The queue's.
        seconds: How long to wait.
    """
    if seconds <= 0:
        return None
    try:
        return within(seconds, lambda: count_messages(name))
    except TimeoutError:
        return None


def count_many(names: Iterable[str], seconds: float = TIMEOUT) -> dict[str, int | None]:
    """The same of each of some queues, one after the other.

    Args:
        names: The queues'.
        seconds: How long to wait for all of them together; those that are left are not asked for.
    """
    found: dict[str, int | None] = dict.fromkeys(names)
    deadline = time.monotonic() + seconds

    def ask() -> None:
        for name in found:
            if time.monotonic() < deadline:
                found[name] = count_messages(name)

    with contextlib.suppress(TimeoutError):
        within(seconds, ask)
    return dict(found)  # the thread may still wait for its last answer
