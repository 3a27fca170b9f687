"""Time for a sink to tidy up, in between batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from z4j_django import logs

logger = logs.logger("z4j_django.shipper")

#: Seconds between two turns: what they take is a small part of a busy shipper's time.
EVERY: Final = 0.25


class Turns:
    """Gives the sink its turns, and sees to it that shipping never suffers from them.

    Args:
        housekeep: The sink's.
    """

    def __init__(self, housekeep: Callable[[], None]) -> None:
        self._housekeep = housekeep
        self._last = time.monotonic()

    def take(self, *, unless: bool) -> None:
        """Let the sink do a little, unless it had a turn just now or ``unless`` is true."""
        if unless or time.monotonic() - self._last < EVERY:
            return
        try:
            self._housekeep()
        except Exception as error:  # any sink, any reason: there will be another turn
            logger.warning("The sink could not tidy up: %s: %s", type(error).__name__, error)
        self._last = time.monotonic()
