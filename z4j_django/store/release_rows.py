"""The releases of a batch, merged into one row each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from z4j_django.agent import events
from z4j_django.counters import near
from z4j_django.values import RELEASE_LENGTH, clean, moment, release_key


class ReleaseRow(msgspec.Struct):
    """A release as far as a batch tells of it."""

    project: str
    key: int
    name: str
    first_seen: float
    last_seen: float


class Releases:
    """Collects the releases of a batch.

    Args:
        now: When they are stored, in seconds since the epoch.

    Attributes:
        rows: By project and key.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self.rows: dict[tuple[str, int], ReleaseRow] = {}

    def see(self, found: Sequence[events.Event], header: events.Header, project: str) -> int | None:
        """The key of the release that some events come of, if that is known."""
        name = clean(header.release, RELEASE_LENGTH)
        key = release_key(name)
        if key is None or not found:
            return key
        times = [near(moment(event.at), self._now) for event in found]
        first, last = min(times), max(times)
        row = self.rows.setdefault((project, key), ReleaseRow(project, key, name, first, last))
        row.first_seen, row.last_seen = min(row.first_seen, first), max(row.last_seen, last)
        return key
