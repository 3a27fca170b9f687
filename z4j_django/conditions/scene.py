"""What the conditions of one round look at: each thing is read when it is first asked for, once."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from django.db.models import Count, Max, Q, Value
from django.db.models.functions import Coalesce

from z4j_django import states
from z4j_django.agent import events
from z4j_django.models import PausedQueue, QueueSample, TaskRecord, WorkerRecord
from z4j_django.queries import health, liveness, pauses, queue_table, queues

#: Workers that are looked at, those online first and then the newest: pods come and go.
WORKERS_LIMIT: Final = 1_000


@dataclass(frozen=True)
class Hand:
    """The tasks that a worker has, as far as the records tell.

    Attributes:
        started: How many it runs.
        received: How many it took and did not begin.
        newest: When it took the last of them.
    """

    started: int = 0
    received: int = 0
    newest: datetime | None = None


class Scene:
    """A project at one moment.

    Args:
        project: Which.
        now: The moment, as the database's times are: aware unless ``USE_TZ`` is off.
        host_ahead: Seconds by which the clock of this host is ahead of the database's.
    """

    def __init__(self, project: str, now: datetime, host_ahead: float = 0.0) -> None:
        self.project = project
        self.now = now
        self.host_ahead = host_ahead
        #: Why conditions could not be evaluated, by their keys.
        self.failures: dict[str, str] = {}

    @cached_property
    def workers(self) -> list[WorkerRecord]:
        """The workers on record, those that said no goodbye first."""
        return [one for one in self._heard if one.pool != events.BEAT]

    @cached_property
    def beats(self) -> list[WorkerRecord]:
        """The beats on record, likewise."""
        return [one for one in self._heard if one.pool == events.BEAT]

    @cached_property
    def _heard(self) -> list[WorkerRecord]:
        mine = WorkerRecord.objects.filter(project=self.project)
        return list(mine.order_by("-online", "-id")[:WORKERS_LIMIT])

    @cached_property
    def online_workers(self) -> list[WorkerRecord]:
        """Those that are heard of."""
        found = self.workers
        return [one for one in found if liveness.presence(one, self.now) == "online"]

    @cached_property
    def consumers(self) -> Mapping[str, Sequence[WorkerRecord]]:
        """The online workers that take tasks from each queue."""
        return queue_table.consumers(self.online_workers)

    @cached_property
    def paused(self) -> Mapping[str, PausedQueue]:
        """The queues that are paused, by their names: that they stand is no fault."""
        return pauses.by_queue(self.project)

    @cached_property
    def hands(self) -> Mapping[str, Hand]:
        """What each worker has in hand."""
        found: dict[str, list[Hand]] = {}
        for worker, _, *hand in self._taken:
            found.setdefault(worker, []).append(Hand(*hand))
        return {
            worker: Hand(
                sum(one.started for one in hands),
                sum(one.received for one in hands),
                max((one.newest for one in hands if one.newest is not None), default=None),
            )
            for worker, hands in found.items()
        }

    @cached_property
    def taken_from(self) -> set[str]:
        """The queues from which an online worker took lately what it has still.

        A worker tells its queues when it comes up, and may be told of others later.
        """
        online = {one.hostname for one in self.online_workers}
        since = self.now - queues.NOW
        return {
            queue
            for worker, queue, *_, newest in self._taken
            if worker in online and newest is not None and newest > since
        }

    @cached_property
    def _taken(self) -> list[tuple[Any, ...]]:
        """What each worker has of each queue: started, received, and when it took the last."""
        taken = TaskRecord.objects.filter(
            project=self.project, state__in=(states.RECEIVED, states.STARTED)
        )
        # Of the columns themselves SQLite would walk an index over all tasks, in its order.
        columns = Coalesce("worker", Value("")), Coalesce("queue", Value(""))
        counted = taken.order_by().values_list(*columns)
        return list(
            counted.annotate(
                started=Count("id", filter=Q(state=states.STARTED)),
                received=Count("id", filter=Q(state=states.RECEIVED)),
                newest=Max("received_at"),
            )
        )

    @cached_property
    def recent_samples(self) -> Mapping[str, Sequence[QueueSample]]:
        """The samples of the last minutes of each queue, the newest last."""
        mine = QueueSample.objects.filter(project=self.project, at__gt=self.now - queues.NOW)
        found: dict[str, list[QueueSample]] = {}
        for sample in mine.order_by("at"):
            found.setdefault(sample.queue, []).append(sample)
        return found

    @cached_property
    def samples(self) -> Mapping[str, QueueSample]:
        """The newest sample of each queue, where it is new enough to tell how it is now."""
        return {queue: samples[-1] for queue, samples in self.recent_samples.items()}

    def waits(self, queue: str, seconds: float) -> datetime | None:
        """Since when messages wait in a queue, where the broker tells so and it is long enough.

        Args:
            queue: Which.
            seconds: How long at least.
        """
        samples = self.recent_samples.get(queue, ())
        not_empty = list(itertools.takewhile(lambda one: one.depth, reversed(samples)))
        if not not_empty:
            return None
        # The records may tell of none of them: another program may have sent them.
        since = not_empty[0].oldest_at or not_empty[-1].at
        return since if self.seconds(since) >= seconds else None

    def history(
        self,
        names: Iterable[str],
        since: datetime,
        until: datetime,
        minutes: Collection[int] = (),
    ) -> Mapping[str, Sequence[Any]]:
        """The samples of some queues: ``at``, ``depth`` and ``oldest_at``, the newest last.

        Args:
            names: Of which queues.
            since: From when on.
            until: Until when.
            minutes: Those of an hour whose samples are wanted; by default all.
        """
        mine = QueueSample.objects.filter(
            project=self.project, queue__in=list(names), at__gt=since, at__lte=until
        )
        if minutes:
            mine = mine.filter(queues.in_minutes(minutes))
        found: dict[str, list[Any]] = {}
        columns = ("queue", "at", "depth", "oldest_at")
        for row in mine.order_by("queue", "at").values_list(*columns, named=True):
            found.setdefault(row.queue, []).append(row)
        return found

    @cached_property
    def journals(self) -> Sequence[health.Journal]:
        """The journals of all hosts."""
        return health.journals(self.now)

    def seconds(self, since: datetime) -> float:
        """How long ago a moment was; 0 where it is yet to come.

        The clock of its host may be ahead, and a round takes some seconds.
        """
        return max((self.now - since).total_seconds(), 0.0)
