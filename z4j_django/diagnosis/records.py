"""Reads the database where it may hang."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import connections

from z4j_django.agent import inspection
from z4j_django.queries import health
from z4j_django.timeouts import within

T = TypeVar("T")


def read(seconds: float, call: Callable[[], T]) -> T:
    """What ``call`` reads.

    Args:
        seconds: How long to wait.
        call: Asks the database; its connections are its thread's, and are closed.

    Raises:
        TimeoutError: If it takes longer.
    """

    def closing() -> T:
        try:
            return call()
        finally:
            connections.close_all()

    return within(seconds, closing)


def lag(view: inspection.View, seconds: float) -> inspection.Lag:
    """What of ``view`` is not in the database.

    Raises:
        TimeoutError: If the database takes longer.
    """
    return inspection.lag(view, read(seconds, lambda: health.positions(view.names)))
