"""How deep queues are, for pages that can't wait for a broker that says nothing."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from z4j_django import broker, logs, wiring
from z4j_django.control import queues
from z4j_django.control.connecting import open_connection
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
    with _logged(repr(name)):
        return queues.count_messages(wiring.find_celery_app().app, name, _ANSWER)
    return None


def count(name: str, seconds: float = TIMEOUT) -> int | None:
    """The messages that wait in a queue; None where nobody tells their number in time.

    Args:
        name: The queue's.
        seconds: How long to wait.
    """
    return count_many([name], seconds)[name]


def count_many(names: Iterable[str], seconds: float = TIMEOUT) -> dict[str, int | None]:
    """The same of each of some queues, one after the other, over one connection.

    Args:
        names: The queues'.
        seconds: How long to wait for all of them together; those that are left are not asked for.
    """
    found: dict[str, int | None] = dict.fromkeys(names)
    deadline = time.monotonic() + seconds

    def ask() -> None:
        with _logged("queues"), counting() as counted:
            for name in found:
                if time.monotonic() >= deadline:
                    break
                with _logged(repr(name)):
                    found[name] = counted(name)

    with contextlib.suppress(TimeoutError):
        within(seconds, ask)
    return dict(found)  # the thread may still wait for its last answer


@contextlib.contextmanager
def counting() -> Iterator[Callable[[str], int | None]]:
    """What counts the messages of a queue; what the broker refuses does not end its connection."""
    with open_connection(wiring.find_celery_app().app, _ANSWER) as connection:
        yield functools.partial(broker.size, connection)


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    """Log why messages can't be counted, and go on."""
    try:
        yield
    except Exception as error:  # whatever the transport raises
        told = str(error) if isinstance(error, Z4JError) else f"{type(error).__name__}: {error}"
        logger.warning("The messages of %s can't be counted: %s", what, mask_text(told))
