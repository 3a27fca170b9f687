"""How often something is journaled that may happen at any time."""

from __future__ import annotations

import time


class Throttle:
    """Lets the first one through at once, and then one in so many seconds.

    Args:
        begun: When what it is about began, in seconds since the epoch.
        every: Seconds between two.
    """

    __slots__ = ("_every", "_last", "_next")

    def __init__(self, begun: float, every: float) -> None:
        self._every = every
        self._last = begun
        self._next = 0.0

    def may(self) -> bool:
        """Whether one may go now; the next may not for a while then."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._every
        return True

    def now(self) -> float:
        """The time, which never stands still nor goes back: the newest is to be told by it."""
        # Twice what the store tells apart.
        self._last = max(time.time(), self._last + 2e-6)
        return self._last
