"""When a task was first and last heard of, as its record tells. Pure."""

from __future__ import annotations

from typing import Any, Final

from z4j_django import states
from z4j_django.store.rows import NO_FACTS
from z4j_django.values import TIME_BITS

_MOMENTS: Final = ("sent_at", "received_at", "started_at", "finished_at")
#: The columns of a record that are looked at here.
COLUMNS: Final = ("state", *_MOMENTS, "eta", "facts_order")


def first_sight(row: Any) -> float:
    """When a task was first heard of, in seconds since the epoch; 0 where nothing tells."""
    known = [moment.timestamp() for name in _MOMENTS if (moment := getattr(row, name))]
    return min(known, default=_told_at(row) or 0.0)


def last_word(row: Any) -> float | None:
    """When a task was last heard of, or when it is due; ``None`` where nothing tells."""
    names = (*_MOMENTS, "eta") if row.state in states.UNFINISHED else _MOMENTS
    known = [moment.timestamp() for name in names if (moment := getattr(row, name))]
    return max(known, default=_told_at(row))


def _told_at(row: Any) -> float | None:
    """When another task's message told of a task that has no event of its own."""
    if row.facts_order == NO_FACTS:
        return None
    return float((row.facts_order & (1 << TIME_BITS) - 1) / 1e6)
