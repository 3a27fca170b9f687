"""A sink in memory, for tests of what comes before the database."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from z4j_django.agent import events
from z4j_django.agent.batching import Slice
from z4j_django.agent.sink import Status
from z4j_django.exceptions import UnstorableError


class MemorySink:
    """Keeps events, and the cursors as a database would; fails when told to."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []
        self.offsets: dict[str, int] = {}
        self.failing: Exception | None = None
        self.is_away = False
        self.forgets_to_answer = False
        self.closed = 0
        self.ended = 0
        self.poison = b"\0"
        self.odd = b""
        self.status: Status | None = None
        self.forgotten: list[str] = []
        self.housekept = 0
        self.reads_ahead = False
        self.prepared: list[Sequence[Slice]] = []

    def positions(self, segments: Sequence[str]) -> Mapping[str, int]:
        if self.is_away:
            raise ConnectionError("nobody answers")
        return {name: self.offsets[name] for name in segments if name in self.offsets}

    def prepare(self, batch: Sequence[Slice]) -> Any:
        self.prepared.append(batch)
        return batch

    def apply(self, batch: Sequence[Slice], prepared: Any = None) -> Mapping[str, int]:
        assert prepared is None or prepared is batch
        if self.failing is not None:
            raise self.failing
        if self.odd and any(self.odd in part.data for part in batch):
            raise RuntimeError("nobody knows why")
        if any(self.poison in part.data for part in batch):
            raise UnstorableError("a poisoned event")
        for part in batch:
            if self.offsets.get(part.segment, 0) == part.begin:
                found, torn = events.decode(part.data)
                self.events += found
                if torn:
                    self.events.append(events.LossEvent(events.UNREADABLE, torn, 1.0))
                self.offsets[part.segment] = part.end
        if self.forgets_to_answer:
            raise ConnectionError("stored, but the answer was lost")
        return {part.segment: self.offsets[part.segment] for part in batch}

    def refuses(self, error: Exception) -> bool:
        return self.failing is None

    def report(self, status: Status) -> None:
        self.status = status

    def forget(self, segments: Sequence[str]) -> None:
        self.forgotten += segments

    def housekeep(self) -> None:
        self.housekept += 1

    def end(self) -> None:
        self.ended += 1

    def close(self) -> None:
        self.closed += 1

    @property
    def losses(self) -> Counter[str]:
        """Events told as lost, by reason."""
        told: Counter[str] = Counter()
        for event in self.events:
            if isinstance(event, events.LossEvent):
                told[event.reason] += event.count
        return told

    @property
    def ids(self) -> list[str]:
        return [event.task_id for event in self.events if isinstance(event, events.TaskEvent)]


def only_in_this_process() -> MemorySink:
    """A sink that no shipper process can make."""
    if "z4j_django.agent.shipper_process" in sys.orig_argv:
        raise RuntimeError("not here")
    return MemorySink()
