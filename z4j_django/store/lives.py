"""What is known of one task so far: its row, and whose words stand in it. Pure.

The integers that decide stand in ``folding``.
"""

from __future__ import annotations

import functools
from typing import Final, TypeAlias

import msgspec

from z4j_django import states
from z4j_django.agent import events
from z4j_django.secrets import masking
from z4j_django.store import describing
from z4j_django.store.rows import TaskRow
from z4j_django.values import TIME_BITS, iso_time, moment

#: Sources of facts, the best first: a whole message, a cut one, an embedded step, a name; and
#: what a bystander heard of a send, which tells the queue, or of anything else.
WHOLE, CUT, EMBEDDED, NAME, HEARD_SENT, HEARD = range(6)
_RETRIES: Final = describing.RETRIES
#: Seconds of a time limit are numbers of the database, too.
_LONGEST: Final = 2**31 - 1

Origin: TypeAlias = tuple[int | None, int | None, int | None]


class Life(msgspec.Struct, gc=False):
    """The row of a task, and whose words stand in it; written down once all were heard."""

    row: TaskRow
    message: events.Message | None = None
    last: events.TaskEvent | None = None
    progress: events.Progress | None = None
    #: Of the process that wrote ``last``: its pid and its release; and which error ``last`` is.
    origin: Origin = (None, None, None)

    def add_facts(self, order: int, message: events.Message) -> None:
        """Hear what a source says of the message."""
        if order < self.row.facts_order:
            self.row.facts_order = order
            self.message = message

    def add_state(self, event: events.TaskEvent, attempt: int, time: int, origin: Origin) -> None:
        """Hear what happened to the task, and when."""
        row = self.row
        if attempt > row.attempt:
            row.attempt = attempt
            row.state_order = -1
            row.received_at = row.started_at = row.eta = row.expires = row.time_limit = None
            self.progress = row.progress = row.progress_at = None
        if attempt == row.attempt:
            at = moment(event.at)
            _merge_moments(row, event, at)
            if event.progress is not None and (row.progress_at is None or at > row.progress_at):
                row.progress_at, self.progress = at, event.progress
            order = _state_place(event.kind, event.retries > 0, event.requeued) | time << 4
            if order > row.state_order:
                row.state_order = order
                self.last = event
                self.origin = origin
        if attempt == 0:
            sent = moment(event.at) if event.kind == events.TASK_SENT else sent_at(event)
            row.sent_at = _earlier(row.sent_at, sent)
        if event.kind == events.TASK_RECEIVED and not event.observed:
            row.deliveries += 1

    def settle(self, rules: masking.Rules) -> None:
        """Write what was heard so far into the row."""
        if self.message is not None:
            describing.write_facts(self.row, self.message, rules)
            self.message = None
        if self.last is not None:
            pid, self.row.release, self.row.error = self.origin
            describing.write_state(self.row, self.last, pid, rules)
            self.last = None
        if self.progress is not None:
            self.row.progress = describing.progress(self.progress, rules)
            self.progress = None


def attempt_of(event: events.TaskEvent | events.LogEvent) -> int:
    """The number that orders a task's attempts."""
    if not event.nesting and 0 <= event.retries <= _RETRIES:
        return event.retries
    return min(max(event.nesting, 0), 2**20) << 32 | min(max(event.retries, 0), _RETRIES)


def sent_at(event: events.TaskEvent) -> float | None:
    """When the message of a worker's event was published, as far as it says so."""
    return moment(event.sent_at) if event.sent_at is not None else None


def _merge_moments(row: TaskRow, event: events.TaskEvent, at: float) -> None:
    if event.kind == events.TASK_RECEIVED:
        row.received_at = later(row.received_at, at)
        if event.time_limit is not None:
            row.time_limit = max(row.time_limit or 0, min(event.time_limit, _LONGEST))
    elif event.kind == events.TASK_STARTED:
        row.started_at = later(row.started_at, at)
    message = event.message
    if message is not None:
        if message.eta:
            row.eta = later(row.eta, iso_time(message.eta))
        if message.expires:
            row.expires = later(row.expires, iso_time(message.expires))


@functools.lru_cache(maxsize=64)
def _state_place(kind: str, has_retries: bool, requeued: bool) -> int:
    """The state's order but for the time: the side, whether it ends, and the rank."""
    state = describing.state_of(kind, has_retries)
    side = kind != events.TASK_SENT or requeued  # what was put back had left the queue
    ended = state in states.FINISHED and not requeued
    return (side << 1 | ended) << (TIME_BITS + 4) | states.RANK[state]


def source_of(event: events.TaskEvent, message: events.Message) -> int:
    """How good a source of the facts an event's message is."""
    if event.observed:
        return HEARD_SENT if event.kind == events.TASK_SENT else HEARD
    return WHOLE if message.complete else CUT


def facts_order(source: int, attempt: int, time: int) -> int:
    """Eight bits of attempt, three of source, the rest time; the smallest is the best.

    A name alone, an embedded step, or what was heard, gives way to a message of any attempt.
    """
    place = min(attempt >> 32, 3) * 64 + min(attempt & 0xFFFFFFFF, 63)
    if source >= EMBEDDED:
        place = 255
    return (place << 3 | source) << TIME_BITS | time


def _earlier(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)


def later(first: float | None, second: float | None) -> float | None:
    """The later of two moments that may be unknown."""
    if first is None or second is None:
        return second if first is None else first
    return max(first, second)
