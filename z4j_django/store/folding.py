"""The events of a batch, merged into one row a task.

Events of one task come from several processes, in any order and in any batches. So a row is a
join: merging is commutative, associative and idempotent, but for the one counter, which the
journal's cursor protects from repetition. The same rules stand in SQL (``sql.py``), where the
row of a batch meets the row of the database. Three integers decide:

``attempt``
    Which attempt, by ``replaced_task_nesting`` and ``retries``. A newer attempt replaces state,
    moments and all that belongs to them.
``state_order``
    Within an attempt: the worker's word before the publisher's, an end before all else, then
    time, then the rank of the state. The greatest supplies the state, and what belongs to it.
    (Time alone would let a delivery on a host whose clock is ahead undo an end for good.)
``facts_order``
    How good a source of the message's facts is: the first attempt, complete, and early. The
    smallest supplies them, all together.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import time as now
from typing import Any, Final

import msgspec

from z4j_django import states
from z4j_django.agent import events
from z4j_django.agent.shipper import Slice
from z4j_django.store import redaction
from z4j_django.store.rows import GroupRow, LossRow, TaskRow, TimelineRow, WorkerRow
from z4j_django.store.values import (
    SHORT,
    TIME_BITS,
    as_json,
    clean,
    identifier,
    iso_time,
    microseconds,
)

#: Characters of an exception's message and of its traceback, masked.
MESSAGE: Final = 4_000
TRACEBACK: Final = 20_000

_STATE_OF: Final = {
    events.TASK_RECEIVED: states.RECEIVED,
    events.TASK_STARTED: states.STARTED,
    events.TASK_SUCCEEDED: states.SUCCESS,
    events.TASK_FAILED: states.FAILURE,
    events.TASK_RETRY: states.RETRY,
    events.TASK_REVOKED: states.REVOKED,
    events.TASK_REJECTED: states.REJECTED,
    events.TASK_IGNORED: states.IGNORED,
}

#: Sources of facts, the best first: a whole message, a cut one, an embedded step, a name; and
#: what a bystander heard of a send, which tells the queue, or of anything else.
_WHOLE, _CUT, _EMBEDDED, _NAME, _HEARD_SENT, _HEARD = range(6)


class Fold:
    """Collects the rows of a batch.

    What a bystander observed may be on record already, by who was there. So it counts no
    delivery and tells no send on the timeline, and its facts give way to all others.

    Attributes:
        tasks: By project and task id.
        groups: By project and group id.
        workers: By project and hostname.
        timeline: In the order of the journal.
        losses: What was lost on the way, in the order of the journal.
        skipped: Lines of each segment that could not be read.
    """

    def __init__(self) -> None:
        self.tasks: dict[tuple[str, str], TaskRow] = {}
        self.groups: dict[tuple[str, str], GroupRow] = {}
        self.workers: dict[tuple[str, str], WorkerRow] = {}
        self.timeline: list[TimelineRow] = []
        self.losses: list[LossRow] = []
        self.skipped: dict[str, int] = {}

    def add_slice(self, part: Slice) -> None:
        """Merge all events of a slice."""
        found, skipped = events.decode(part.data)
        self.skipped[part.segment] = skipped
        if skipped:
            loss = events.LossEvent(events.UNREADABLE, skipped, now(), part.segment)
            found.append(loss)
        self.add(found, part.header)

    def add(self, found: Iterable[events.Event], header: events.Header) -> None:
        """Merge events that one process wrote."""
        project = clean(header.project, 64)
        for event in found:
            if isinstance(event, events.TaskEvent):
                self._add_task_event(event, project, header.pid)
            elif isinstance(event, events.WorkerEvent):
                self._add_worker_event(event, project, header.pid)
            else:
                self._add_loss(event, header)

    def _task(self, project: str, task_id: str) -> TaskRow:
        row = self.tasks.get((project, task_id))
        if row is None:
            row = self.tasks[project, task_id] = TaskRow(project, task_id)
        return row

    def _add_task_event(self, event: events.TaskEvent, project: str, pid: int) -> None:
        task_id = identifier(event.task_id)
        row = self._task(project, task_id)
        attempt = attempt_of(event)
        time = microseconds(event.at)
        at = time / 1e6
        if attempt > row.attempt:
            row.attempt = attempt
            row.state_order = -1
            row.received_at = row.started_at = row.eta = row.expires = None
        if attempt == row.attempt:
            _merge_moments(row, event, at)
            _merge_state(row, event, time, pid)
        if attempt == 0:
            row.sent_at = _earlier(
                row.sent_at, at if event.kind == events.TASK_SENT else sent_at(event)
            )
        if event.kind == events.TASK_RECEIVED and not event.observed:
            row.deliveries += 1
        if event.message is not None:
            self._merge_message(row, event, event.message, time)
        elif event.name:
            order = _facts_order(_HEARD if event.observed else _NAME, attempt, time)
            if order < row.facts_order:
                _set_facts(row, order, events.Message(name=event.name))
        if event.observed and event.kind == events.TASK_SENT:
            return
        self.timeline.append(
            TimelineRow(
                project=project,
                task_id=task_id,
                kind=event.kind[:16],
                at=at,
                retries=retries_of(event),
                worker=clean(event.worker),
                pid=None if event.observed else pid,
                detail=_detail(event),
            )
        )

    def _merge_message(
        self, row: TaskRow, event: events.TaskEvent, message: events.Message, time: int
    ) -> None:
        at = time / 1e6
        order = _facts_order(_source(event, message), attempt_of(event), time)
        if order < row.facts_order:
            _set_facts(row, order, message)
        if is_member(message):
            member = events.Step(
                row.task_id, message.name, message.group_id, message.group_index, message.chord
            )
            root_id = message.root_id if message.root_id != event.task_id else ""
            self._add_group(row.project, member, root_id, at)
        for step in message.chain:
            self._add_embedded(row.project, step, message, at)

    def _add_embedded(
        self, project: str, step: events.Step, message: events.Message, at: float
    ) -> None:
        """A task that is known before it is published: PENDING until its own events come."""
        task_id = identifier(step.task_id)
        row = self._task(project, task_id)
        if row.attempt < 0:
            row.attempt = row.state_order = 0
        order = _facts_order(_EMBEDDED, 0, microseconds(at))
        if order < row.facts_order:
            facts = events.Message(
                name=step.name,
                root_id=message.root_id,
                group_id=step.group_id,
                group_index=step.group_index,
                chord=step.chord,
            )
            _set_facts(row, order, facts)
        if is_member(step):
            self._add_group(project, step, message.root_id, at)

    def _add_group(self, project: str, member: events.Step, root_id: str, at: float) -> None:
        group_id = identifier(member.group_id)
        row = self.groups.get((project, group_id))
        if row is None:
            row = self.groups[project, group_id] = GroupRow(project, group_id, first_seen=at)
        row.first_seen = min(row.first_seen, at)
        row.size = max(row.size, (member.group_index or 0) + 1)
        row.root_id = max(row.root_id, identifier(root_id))
        body = member.chord
        if body is not None:
            row.kind = "chord"
            row.body_id, row.body_name = max(
                (row.body_id, row.body_name), (identifier(body.task_id), clean(body.name))
            )
            self._add_embedded(project, body, events.Message(root_id=root_id), at)

    def _add_loss(self, event: events.LossEvent, header: events.Header) -> None:
        count = min(max(event.count, 0), 2**63 - 1)
        at = microseconds(event.at) / 1e6
        reason, detail = clean(event.reason, 16), clean(event.detail)
        self.losses.append(
            LossRow(clean(header.project, 64), clean(header.host), reason, count, at, detail)
        )

    def _add_worker_event(self, event: events.WorkerEvent, project: str, pid: int) -> None:
        hostname = identifier(event.hostname)
        row = self.workers.get((project, hostname))
        if row is None:
            row = self.workers[project, hostname] = WorkerRow(project, hostname)
        online = event.kind != events.WORKER_OFFLINE
        # At one instant the end stands: a worker says nothing after it.
        time = microseconds(event.at)
        at = time / 1e6
        order = time << 1 | (not online)
        if order > row.state_order:
            row.state_order, row.online = order, online
        if online:
            row.last_seen = _later(row.last_seen, at)
        else:
            row.stopped_at = _later(row.stopped_at, at)
        if event.kind == events.WORKER_ONLINE and at > (row.started_at or 0.0):
            row.started_at = at
            row.pid = event.pid if event.observed else pid
            row.pool = clean(event.pool, 64)
            row.concurrency = event.concurrency
            row.queues = as_json([clean(name) for name in list(event.queues)[:100]])
            row.version = clean(event.version, 64)


def is_member(of: events.Message | events.Step) -> bool:
    """Whether a task belongs to the group that it names.

    The body of a chord names its own chord's group too, and has no place in it.
    """
    return bool(of.group_id) and (of.group_index is not None or of.chord is not None)


def attempt_of(event: events.TaskEvent) -> int:
    """The number that orders a task's attempts."""
    return min(max(event.nesting, 0), 2**20) << 32 | retries_of(event)


def retries_of(event: events.TaskEvent) -> int:
    """The retries that an event says, within the database's integers."""
    return min(max(event.retries, 0), 2**31 - 1)


def sent_at(event: events.TaskEvent) -> float | None:
    """When the message of a worker's event was published, as far as it says so."""
    return microseconds(event.sent_at) / 1e6 if event.sent_at is not None else None


def _merge_moments(row: TaskRow, event: events.TaskEvent, at: float) -> None:
    if event.kind == events.TASK_RECEIVED:
        row.received_at = _later(row.received_at, at)
    elif event.kind == events.TASK_STARTED:
        row.started_at = _later(row.started_at, at)
    message = event.message
    if message is not None:
        if message.eta:
            row.eta = _later(row.eta, iso_time(message.eta))
        if message.expires:
            row.expires = _later(row.expires, iso_time(message.expires))


def _merge_state(row: TaskRow, event: events.TaskEvent, time: int, pid: int) -> None:
    if event.kind == events.TASK_SENT:
        state = states.RETRY if event.retries else states.PENDING
        side = 0
    else:
        state = _STATE_OF.get(event.kind, states.PENDING)
        side = 1
    ended = state in states.FINISHED and not event.requeued
    order = (side << 1 | ended) << (TIME_BITS + 4) | time << 4 | states.RANK[state]
    if order <= row.state_order:
        return
    row.state_order = order
    row.state = state
    row.retries = retries_of(event)
    row.worker = clean(event.worker)
    row.pid = pid if side and not event.observed else None
    row.finished_at = time / 1e6 if state in states.FINISHED else None
    row.runtime = event.runtime
    row.result = _result(event) if state == states.SUCCESS and not event.observed else None
    failure = event.failure
    row.exception_type = clean(failure.type) if failure else ""
    row.exception_message = redaction.redact_text(failure.message, MESSAGE) if failure else ""
    row.traceback = redaction.redact_text(failure.traceback, TRACEBACK) if failure else ""
    if state == states.REVOKED:
        row.exception_message = clean(event.detail)


def _set_facts(row: TaskRow, order: int, message: events.Message) -> None:
    row.facts_order = order
    row.name = clean(message.name)
    row.queue = clean(message.queue)
    row.exchange = clean(message.exchange)
    row.routing_key = clean(message.routing_key)
    row.priority = message.priority
    row.root_id = identifier(message.root_id)
    row.parent_id = identifier(message.parent_id)
    row.group_id = identifier(message.group_id) if is_member(message) else ""
    row.group_index = message.group_index
    row.chord_id = identifier(message.chord.task_id) if message.chord else ""
    row.schedule = clean(message.schedule)
    row.origin = clean(message.origin)
    row.args, row.kwargs = _arguments(message)


def _source(event: events.TaskEvent, message: events.Message) -> int:
    if event.observed:
        return _HEARD_SENT if event.kind == events.TASK_SENT else _HEARD
    return _WHOLE if message.complete else _CUT


def _facts_order(source: int, attempt: int, time: int) -> int:
    """Eight bits of attempt, three of source, the rest time; the smallest is the best.

    A name alone, an embedded step, or what was heard, gives way to a message of any attempt.
    """
    place = min(attempt >> 32, 3) * 64 + min(attempt & 0xFFFFFFFF, 63)
    if source >= _EMBEDDED:
        place = 255
    return (place << 3 | source) << TIME_BITS | time


def _arguments(message: events.Message) -> tuple[str | None, str | None]:
    args = _decoded(message.args)
    kwargs = _decoded(message.kwargs)
    return (
        as_json(redaction.redact_args(args, message.params)) if isinstance(args, list) else None,
        as_json(redaction.redact(kwargs)) if isinstance(kwargs, dict) else None,
    )


def _result(event: events.TaskEvent) -> str:
    return as_json(redaction.redact(_decoded(event.result)))


def _decoded(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _detail(event: events.TaskEvent) -> str:
    """What the timeline says beside the kind."""
    if event.failure is not None:
        line = f"{event.failure.type}: {event.failure.message}".removesuffix(": ")
        return redaction.redact_text(line, SHORT)
    return clean(event.detail)


def _earlier(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)


def _later(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return max(first, second)
