"""What the first page shows, each thing read when it is first asked for, once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, TypeVar

from z4j_django import histograms
from z4j_django.conditions import attention
from z4j_django.conditions.scene import Scene
from z4j_django.conf import settings
from z4j_django.models import AlertSilence, ErrorGroup, PausedQueue, TaskRecord, WorkerRecord
from z4j_django.queries import (
    errors,
    health,
    held,
    pauses,
    pulse,
    queues,
    releases,
    timetable,
    unfinished,
    usual,
    worker_status,
)
from z4j_django.queries.timetable import Entry
from z4j_django.values import INTERNAL

#: Conditions, and rows of a table, that are shown at most.
CONDITIONS: Final = 12
ROWS: Final = 8
_HOUR: Final = timedelta(hours=1)
#: Seconds for which what hardly changes is remembered.
_REMEMBERED: Final = 60.0

_T = TypeVar("_T")


class Reading(Scene):
    """A project as the first page shows it.

    Args:
        now: The moment; aware unless ``USE_TZ`` is off.
    """

    def __init__(self, now: datetime) -> None:
        super().__init__(settings.PROJECT, now)

    @cached_property
    def attention(self) -> attention.Now:
        """What is wrong."""
        return attention.now(self.project, CONDITIONS)

    @cached_property
    def pulse(self) -> pulse.Pulse:
        """What has happened in the last two hours, by the minute."""
        return pulse.read(self.project, self.now.timestamp())

    @cached_property
    def paused(self) -> Mapping[str, PausedQueue]:
        """The queues that are paused."""
        return self.held.paused

    def takers(self, queue: str) -> Sequence[WorkerRecord]:
        """The workers that take from a queue."""
        found = self.consumers.get(queue, ())
        return pauses.among(found, self.held.taking[queue]) if queue in self.paused else found

    @cached_property
    def queues(self) -> Mapping[str, queues.Lately]:
        """The queues in the last hour."""
        return queues.lately(self.project, self.now)

    @cached_property
    def _running(self) -> tuple[list[TaskRecord], bool]:
        return unfinished.running(self.project)

    @property
    def running(self) -> Sequence[TaskRecord]:
        """What runs, for the longest first; our own tasks among it."""
        return self._running[0]

    @property
    def more_running(self) -> bool:
        """Whether more runs than was looked at."""
        return self._running[1]

    @cached_property
    def used(self) -> Mapping[str, int]:
        """How many tasks each worker runs."""
        return Counter(one.worker for one in self.running)

    @property
    def takes_nothing(self) -> Mapping[str, str]:
        """What says of workers that they take nothing, of the conditions that are shown."""
        key = worker_status.NOT_CONSUMING
        return {one.subject: one.evidence for one in self.attention.open if one.key == key}

    @cached_property
    def longest(self) -> Sequence[TaskRecord]:
        """Those of the project's own tasks that run for the longest."""
        return [one for one in self.running if not one.name.startswith(INTERNAL)][:ROWS]

    @cached_property
    def usual(self) -> Mapping[str, float | None]:
        """How long 95 % of the runs of the names in :attr:`longest` take at most."""
        names = sorted({one.name for one in self.longest})
        if not names:
            return {}

        def read() -> Mapping[str, float | None]:
            found = usual.runtimes(self.project, names, self.now)
            return {name: histograms.percentile(runs, 0.95) for name, runs in found.items()}

        return _remembered(("usual", self.project, *names), read)

    @cached_property
    def errors(self) -> Sequence[ErrorGroup]:
        """The errors of the last hour that nobody ignores, the last first."""
        found = errors.wanted(self.project).exclude(state=ErrorGroup.State.IGNORED)
        lately = found.filter(last_seen__gte=self.now - _HOUR)
        return list(lately.defer(*errors.HEAVY_FIELDS).order_by("-last_seen", "-id")[:ROWS])

    @cached_property
    def failed_lately(self) -> Mapping[str, int]:
        """How many tasks of the last hour failed with each of them."""
        return errors.failures_since(self.now - _HOUR, self.errors)

    @cached_property
    def release(self) -> str:
        """The release that was first seen last; empty where none is known."""

        def read() -> str:
            found = releases.newest(self.project)
            return found.name if found is not None else ""

        return _remembered(("release", self.project), read)

    @cached_property
    def silences(self) -> Sequence[AlertSilence]:
        """What nobody is told of."""
        return self.held.silences

    @cached_property
    def held(self) -> held.Held:
        """What operators hold back, and whether anybody is told."""
        return held.read(self.project, self.now)

    @cached_property
    def recording(self) -> health.Recording:
        """How capture stands."""
        return health.recording(self.now)

    @cached_property
    def schedules(self) -> Sequence[Entry]:
        """What beat has to send."""
        return _remembered(("schedules", self.project), timetable.entries)


_kept: Final[dict[tuple[Any, ...], tuple[float, Any]]] = {}
_MOST: Final = 256


def _remembered(key: tuple[Any, ...], read: Callable[[], _T]) -> _T:
    found: _T
    at, found = _kept.get(key, (0.0, None))
    if not at or time.monotonic() - at > _REMEMBERED:
        if len(_kept) >= _MOST:
            _kept.clear()
        found = read()
        _kept[key] = time.monotonic(), found
    return found


def forget() -> None:
    """Remember nothing: for tests."""
    _kept.clear()
