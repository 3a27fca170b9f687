"""What the events of a batch add to the statistics: counts by minute, name and queue.

An event counts once, as it stands on the timeline: so the statistics and the timeline say the
same. What the timeline leaves out, since it may be on record twice, is left out. What was purged,
rejected or put back counts as what it is there, too: a purge is a message that left the queue, and
its return one more that was sent.

A start and an end carry the queue, but not when their message was sent. What the batch does not
know of that either, the store is asked for: :attr:`Counts.unknown`, and :meth:`Counts.resolve`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

import msgspec

from z4j_django.agent import events
from z4j_django.counters import COUNTERS, MINUTE, near
from z4j_django.histograms import Histogram, bucket_of
from z4j_django.store.rows import NAMED, TaskRow
from z4j_django.values import clean, iso_time

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
#: Sends and receipts, which are most of what comes with a message, come before it.
_STARTED: Final = _COUNTER_OF[events.TASK_STARTED]
_SAMPLED: Final = COUNTERS.index("sampled")


class Count(msgspec.Struct, array_like=True, gc=False):
    """What happened in one minute to the tasks of one name from one queue."""

    #: Its begin, in seconds since the epoch.
    minute: int
    name: str
    queue: str
    counters: list[int]
    #: How long tasks ran, and how long they waited after they were sent, or due.
    runs: Histogram
    waits: Histogram
    #: The id of an error, of whose failures alone it is.
    error: str = ""


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


_UNKNOWN: Final = Known("", "", -1, None, None)

#: An event that is to be counted once the rows are written: the task, attempt, counter, time, name,
#: queue, run time, and whether it came with the whole message, of which nobody knows more.
_Heard: TypeAlias = tuple[TaskRow, int, int, float, str, str, float | None, bool]


class Counts:
    """Collects what the events of a batch count.

    Args:
        now: When they are stored, in seconds since the epoch.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._heard: list[_Heard] = []
        self._unresolved: list[_Heard] = []
        #: From when on an attempt waited, by project, task and attempt.
        self._due: dict[tuple[str, str, int], float] = {}
        #: By project, minute, name and queue; and the same by names and queues as events have them.
        self._counts: dict[tuple[str, int, str, str], Count] = {}
        self._known: dict[tuple[str, int, str, str], Count] = {}

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
        name, queue, message = event.name, event.queue, event.message
        if message is not None:
            queue = message.queue
            self._hear_when_due(event, message, (row.project, row.task_id, attempt), at)
            if name and queue and counter < _STARTED:
                self._count(row.project, at, name, queue).counters[counter] += 1
                return
        is_told = message is not None and not event.observed
        self._heard.append((row, attempt, counter, at, name, queue, event.runtime, is_told))

    def add_sampled(self, event: events.SampledEvent, project: str) -> None:
        """Count a task that a sample left out."""
        self._count(project, event.at, event.name, "").counters[_SAMPLED] += 1

    def settle(self) -> None:
        """Count what was heard so far, once the rows of the tasks are written."""
        heard, self._heard = self._heard, []
        for one in heard:
            row, attempt, counter, _, name, queue, _, is_told = one
            queue = queue or row.queue
            due = None
            if counter == _STARTED:
                due = self._due.get((row.project, row.task_id, attempt))
                is_known = is_told or (due is not None and (queue or row.facts_order < NAMED))
            else:
                is_known = is_told or queue or row.facts_order < NAMED
            if is_known:
                self._count_heard(one, name or row.name, queue, due)
            else:
                self._unresolved.append(one)

    @property
    def unknown(self) -> Mapping[str, Sequence[str]]:
        """The ids of the tasks of which the store is to be asked, by project."""
        found: dict[str, set[str]] = defaultdict(set)
        for row, *_ in self._unresolved:
            found[row.project].add(row.task_id)
        return {project: sorted(ids) for project, ids in found.items()}

    def resolve(self, known: Mapping[tuple[str, str], Known]) -> None:
        """Count the rest.

        Args:
            known: What the store knows, by project and task id.
        """
        unresolved, self._unresolved = self._unresolved, []
        for one in unresolved:
            row, attempt, _, _, name, queue, _, _ = one
            stored = known.get((row.project, row.task_id), _UNKNOWN)
            due = self._due.get((row.project, row.task_id, attempt))
            self._count_heard(
                one,
                name or row.name or stored.name,
                queue or row.queue or stored.queue,
                stored.due(attempt) if due is None else due,
            )

    def by_project(self) -> dict[str, list[Count]]:
        """All that was counted."""
        found: dict[str, list[Count]] = defaultdict(list)
        for (project, *_), count in sorted(self._counts.items(), key=itemgetter(0)):
            found[project].append(count)
        return found

    def _hear_when_due(
        self,
        event: events.TaskEvent,
        message: events.Message,
        key: tuple[str, str, int],
        at: float,
    ) -> None:
        sent_at = at if event.kind == events.TASK_SENT else event.sent_at
        if sent_at is None:
            return
        eta = iso_time(message.eta) if message.eta else None
        due = sent_at if eta is None or eta < sent_at else eta
        known = self._due.get(key)
        if known is None or due < known:
            self._due[key] = due

    def _count_heard(self, one: _Heard, name: str, queue: str, due: float | None) -> None:
        row, _, counter, at, _, _, runtime, _ = one
        count = self._count(row.project, at, name, queue)
        count.counters[counter] += 1
        if runtime is not None:
            bucket = bucket_of(runtime)
            count.runs[bucket] = count.runs.get(bucket, 0) + 1
        if counter == _STARTED and due is not None:
            bucket = bucket_of(at - due)
            count.waits[bucket] = count.waits.get(bucket, 0) + 1

    def _count(self, project: str, at: float, name: str, queue: str) -> Count:
        minute = int(near(at, self._now) // MINUTE)
        key = (project, minute, name, queue)
        count = self._known.get(key)
        if count is None:
            # MySQL takes a text for the same with spaces at its end.
            name, queue = clean(name).rstrip(" "), clean(queue).rstrip(" ")
            new = Count(minute * MINUTE, name, queue, [0] * len(COUNTERS), {}, {})
            count = self._counts.setdefault((project, minute, name, queue), new)
            self._known[key] = count
        return count
