"""What tests write to a journal, and the shipping of all of it."""

from __future__ import annotations

from pathlib import Path

from tests.sinks import MemorySink
from z4j_django.agent import events, shipper


def line(task_id: str) -> bytes:
    return events.encode(events.TaskEvent(kind=events.TASK_SENT, task_id=task_id, at=1.0))


def ship(directory: Path, sink: MemorySink) -> bool:
    """Ship all that is there; whether nothing is left."""
    ships = shipper.Shipper(directory, sink)
    try:
        return ships.drain(5.0)
    finally:
        ships.close()
