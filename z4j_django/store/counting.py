"""What the events of a batch add to the statistics: counts by minute, name and queue.

An event counts once, as it stands on the timeline: so the statistics and the timeline say the
same. What the timeline leaves out, since it may be on record twice, is left out. What was purged,
rejected or put back counts as what it is there, too: a purge is a message that left the queue, and
its return one more that was sent.

A start and an end don't carry the queue, nor when their message was sent. What the batch does not
know of that either, the store is asked for: :attr:`Counts.unknown`, and :meth:`Counts.resolve`.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from time import time as now
from typing import Final, NamedTuple

import msgspec

from z4j_django.agent import events
from z4j_django.counters import COUNTERS, DAY, MINUTE
from z4j_django.histograms import Histogram, bucket_of
from z4j_django.store.rows import NAMED, TaskRow
from z4j_django.values import clean, iso_time

#: Seconds that the clock of a host may be ahead; what lies beyond counts when it is stored.
_FAR: Final = DAY

_COUNTER_OF: Final = {
    events.TASK_SENT: COUNTERS.index("sent"),
    events.TASK_RECEIVED: COUNTERS.index("received"),
    events.TASK_STARTED: COUNTERS.index("started"),
    events.TASK_SUCCEEDED: COUNTERS.index("succeeded"),
    events.TASK_FAILED: COUNTERS.index("failed"),
    events.TASK_RETRY: COUNTERS.index("retried"),
    events.TASK_REVOKED: COUNTERS.index("revoked"),
    events.TASK_REJECTED: COUNTERS.index("rejected"),
    events.TASK_IGNORED: COUNTERS.index("ignored"),
}
_clean: Final = functools.lru_cache(maxsize=4096)(clean)
_SENT: Final = _COUNTER_OF[events.TASK_SENT]
_STARTED: Final = _COUNTER_OF[events.TASK_STARTED]
_SAMPLED: Final = COUNTERS.index("sampled")


class Count(msgspec.Struct, array_like=True):
    """What happened in one minute to the tasks of one name from one queue."""

    #: Its begin, in seconds since the epoch.
    minute: int
    name: str
    queue: str
    counters: list[int]
    #: How long tasks ran, and how long they waited after they were sent, or due.
    runs: Histogram
    waits: Histogram


class Known(NamedTuple):
    """What the store knows of a task. Times are seconds since the epoch."""

    name: str
    queue: str
    attempt: int
    sent_at: float | None
    eta: float | None

    def due(self, attempt: int) -> float | None:
        """From when on an attempt waited, where that is known: only the first one's sending is."""
        if attempt != self.attempt:
            return None
        sent_at = self.sent_at if attempt == 0 else None
        return max((at for at in (sent_at, self.eta) if at is not None), default=None)


class _Heard(NamedTuple):
    """An event that is to be counted."""

    row: TaskRow
    attempt: int
    counter: int
    at: float
    name: str
    queue: str
    runtime: float | None
    #: Whether it came with the whole message: nobody knows more of the queue and the sending.
    is_told: bool


class Counts:
    """Collects what the events of a batch count."""

    def __init__(self) -> None:
        self._now = now()
        self._heard: list[_Heard] = []
        self._unresolved: list[_Heard] = []
        #: From when on an attempt waited, by project, task and attempt.
        self._due: dict[tuple[str, str, int], float] = {}
        self._found: dict[tuple[str, int, str, str], Count] = {}

    def add(self, event: events.TaskEvent, row: TaskRow, attempt: int, at: float) -> None:
        """Count an event of the timeline.

        Args:
            event: What happened.
            row: The task, whose facts may be written later.
            attempt: Which attempt, as ``folding`` numbers them.
            at: When, in seconds since the epoch.
        """
        counter = _COUNTER_OF.get(event.kind)
        if counter is None:
            return
        message = event.message
        queue = ""
        if message is not None:
            queue = message.queue
            sent_at = at if counter == _SENT else event.sent_at
            if sent_at is not None:
                eta = iso_time(message.eta) if message.eta else None
                due = sent_at if eta is None else max(sent_at, eta)
                key = (row.project, row.task_id, attempt)
                self._due[key] = min(due, self._due.get(key, due))
        is_told = message is not None and not event.observed
        self._heard.append(
            _Heard(row, attempt, counter, at, event.name, queue, event.runtime, is_told)
        )

    def add_sampled(self, event: events.SampledEvent, project: str) -> None:
        """Count a task that a sample left out."""
        self._count(project, event.at, _clean(event.name), "").counters[_SAMPLED] += 1

    def settle(self) -> None:
        """Count what was heard so far, once the rows of the tasks are written."""
        heard, self._heard = self._heard, []
        for one in heard:
            row = one.row
            queue = one.queue or row.queue
            due = None
            if one.counter == _STARTED:
                due = self._due.get((row.project, row.task_id, one.attempt))
            is_known = one.is_told or (
                (queue or row.facts_order < NAMED) and (due is not None or one.counter != _STARTED)
            )
            if is_known:
                self._count_one(one, queue, due)
            else:
                self._unresolved.append(one)

    @property
    def unknown(self) -> Mapping[str, Sequence[str]]:
        """The ids of the tasks of which the store is to be asked, by project."""
        found: dict[str, set[str]] = defaultdict(set)
        for one in self._unresolved:
            found[one.row.project].add(one.row.task_id)
        return {project: sorted(ids) for project, ids in found.items()}

    def resolve(self, known: Mapping[tuple[str, str], Known]) -> None:
        """Count the rest.

        Args:
            known: What the store knows, by project and task id.
        """
        unresolved, self._unresolved = self._unresolved, []
        for one in unresolved:
            row = one.row
            due = self._due.get((row.project, row.task_id, one.attempt))
            queue = one.queue or row.queue
            if (stored := known.get((row.project, row.task_id))) is not None:
                queue = queue or stored.queue
                due = stored.due(one.attempt) if due is None else due
                if not one.name and not row.name:
                    one = one._replace(name=stored.name)
            self._count_one(one, queue, due)

    def by_project(self) -> dict[str, list[Count]]:
        """All that was counted."""
        found: dict[str, list[Count]] = defaultdict(list)
        for (project, *_), count in sorted(self._found.items()):
            found[project].append(count)
        return found

    def _count_one(self, one: _Heard, queue: str, due: float | None) -> None:
        count = self._count(
            one.row.project, one.at, _clean(one.name) or one.row.name, _clean(queue)
        )
        count.counters[one.counter] += 1
        if one.runtime is not None:
            bucket = bucket_of(one.runtime)
            count.runs[bucket] = count.runs.get(bucket, 0) + 1
        if one.counter == _STARTED and due is not None:
            bucket = bucket_of(one.at - due)
            count.waits[bucket] = count.waits.get(bucket, 0) + 1

    def _count(self, project: str, at: float, name: str, queue: str) -> Count:
        minute = int((at if at <= self._now + _FAR else self._now) // MINUTE) * MINUTE
        key = (project, minute, name, queue)
        count = self._found.get(key)
        if count is None:
            count = self._found[key] = Count(minute, name, queue, [0] * len(COUNTERS), {}, {})
        return count
