"""What metrics are made of: each part is read when it is first asked for, and once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from django.db import DatabaseError
from django.utils import timezone

from z4j_django import histograms, logs, states
from z4j_django.conditions import attention
from z4j_django.conf import settings
from z4j_django.histograms import Histogram
from z4j_django.metrics import exemplars
from z4j_django.models import WorkerRecord
from z4j_django.queries import (
    ever,
    health,
    liveness,
    queue_table,
    queues,
    releases,
    tasks,
    timetable,
    unfinished,
    workers,
)
from z4j_django.values import INTERNAL, OTHER, clean

logger = logs.logger("z4j_django.metrics")


class Consumers(NamedTuple):
    """Who takes tasks from a queue: workers, and their processes, threads or greenlets."""

    workers: int = 0
    slots: int = 0


class Reading:
    """How a project stands at one moment, from the database and from nowhere else.

    Args:
        names_tasks: Whether tasks are to be named.
    """

    def __init__(self, *, names_tasks: bool = False) -> None:
        self.project: str = settings.PROJECT
        self.now = timezone.now()
        self.names_tasks = names_tasks

    def age(self, moment: datetime) -> float:
        """Seconds since a moment."""
        return max((self.now - moment).total_seconds(), 0.0)

    @cached_property
    def counted(self) -> Sequence[ever.Total]:
        """What happened to tasks of all names, our own among them."""
        return ever.totals(self.project, settings.METRICS_NAMES)

    @cached_property
    def totals(self) -> Sequence[ever.Total]:
        """The same without our own tasks."""
        return [
            one for one in self.counted if one.name == OTHER or not one.name.startswith(INTERNAL)
        ]

    @cached_property
    def runs_of_names(self) -> Mapping[str, Histogram]:
        """How long the tasks of each name ran, from whichever queue."""
        found: dict[str, Histogram] = defaultdict(dict)
        for one in self.totals:
            if one.runs:
                histograms.add(found[one.name], one.runs)
        return found

    @cached_property
    def exemplars(self) -> exemplars.Exemplars:
        """Tasks to look at; none where none is to be named."""
        return exemplars.of(tasks.ended(self.project) if self.names_tasks else ())

    @cached_property
    def lost(self) -> Mapping[str, int]:
        """How many events were lost, by reason."""
        return ever.lost(self.project)

    @cached_property
    def queues(self) -> Mapping[str, queues.Sample]:
        """How each queue stands."""
        return queues.newest(self.project, self.now)

    @cached_property
    def workers(self) -> Sequence[WorkerRecord]:
        """Those that were heard of lately."""
        return workers.listed(self.project, self.now)

    @cached_property
    def online(self) -> Sequence[WorkerRecord]:
        """Those that are there."""
        return [one for one in self.workers if liveness.presence(one, self.now) == "online"]

    @cached_property
    def running(self) -> Sequence[unfinished.Held]:
        """What runs."""
        return unfinished.held(self.project, states.STARTED)

    @cached_property
    def received(self) -> Sequence[unfinished.Held]:
        """What workers hold and have not begun."""
        return unfinished.held(self.project, states.RECEIVED)

    @cached_property
    def busy(self) -> Mapping[str, int]:
        """How many tasks each worker runs."""
        return Counter(one.worker for one in self.running)

    @cached_property
    def consumers(self) -> Mapping[str, Consumers]:
        """Who takes tasks from each queue, of the workers that are there."""
        found: dict[str, Consumers] = defaultdict(Consumers)
        for name, of_queue in queue_table.consumers(self.online).items():
            slots = sum(worker.concurrency or 0 for worker in of_queue)
            found[name] = Consumers(len(of_queue), slots)
        return found

    @cached_property
    def holding(self) -> Sequence[attention.Holding]:
        """What is wrong."""
        return attention.holding(self.project)

    @cached_property
    def checked_at(self) -> datetime | None:
        """When it was last looked at what is wrong."""
        return attention.checked_at(self.project)

    @cached_property
    def schedules(self) -> Sequence[str]:
        """The names of what beat sends again and again; none where its tables can't be read."""
        try:
            return [clean(one.name) for one in timetable.entries()]
        except (DatabaseError, TimeoutError) as error:  # which may be in another database
            logger.warning("The schedules can't be read: %s", error)
            return []

    @cached_property
    def release(self) -> str:
        """The one of which the first sight is the latest."""
        found = releases.newest(self.project)
        return found.name if found is not None else ""

    @cached_property
    def journals(self) -> Sequence[health.Journal]:
        """The journals, those heard of last first."""
        return health.journals(self.now)
