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
    That a message was purged, or put back, counts as a worker's word, and is no end.
``facts_order``
    How good a source of the message's facts is: the first attempt, complete, and early. The
    smallest supplies them, all together.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from z4j_django.agent import events
from z4j_django.agent.batching import Slice
from z4j_django.counters import near
from z4j_django.secrets import masking
from z4j_django.store import describing, lives
from z4j_django.store.counting import Counts
from z4j_django.store.error_rows import Errors
from z4j_django.store.lives import Life
from z4j_django.store.log_rows import LogRow, Logs
from z4j_django.store.release_rows import Releases
from z4j_django.store.rows import NAMED, GroupRow, LossRow, TaskRow, TimelineRow, WorkerRow
from z4j_django.values import (
    as_json,
    clean,
    identifier,
    microseconds,
    moment,
)


class Fold:
    """Collects the rows of a batch.

    What a bystander observed may be on record already, by who was there. So it counts no
    delivery and tells no send on the timeline, and its facts give way to all others.

    Args:
        rules: What else than what looks like a secret is masked.
        now: When it is stored, in seconds since the epoch; by default now, by this host's clock.

    Attributes:
        groups: By project and group id.
        workers: By project and hostname.
        timeline: In the order of the journal.
        originals: By project and task id: an attempt, its time, and its message; the first.
        losses: What was lost on the way, in the order of the journal.
        errors: The failures, by their causes.
        logs: What tasks wrote to their loggers.
        log_rows: The same as rows, once it is settled.
        releases: The releases that it comes of.
        skipped: Lines of each segment that could not be read.
        counts: What goes into the statistics.
    """

    def __init__(self, rules: masking.Rules = masking.NO_RULES, now: float | None = None) -> None:
        self._rules = rules
        self._now = time.time() if now is None else now
        self._lives: dict[tuple[str, str], Life] = {}
        self.groups: dict[tuple[str, str], GroupRow] = {}
        self.workers: dict[tuple[str, str], WorkerRow] = {}
        #: The same, by the hostname as events have it.
        self._heard: dict[tuple[str, str], WorkerRow] = {}
        self.timeline: list[TimelineRow] = []
        self.originals: dict[tuple[str, str], tuple[int, float, events.Original]] = {}
        self.losses: list[LossRow] = []
        self.errors = Errors(self._now)
        self.logs = Logs()
        self.log_rows: list[LogRow] = []
        self.releases = Releases(self._now)
        self.skipped: dict[str, int] = {}
        self.counts = Counts(self._now)

    def add_slice(self, part: Slice) -> None:
        """Merge all events of a slice."""
        found, skipped = events.decode(part.data)
        self.skipped[part.segment] = skipped
        if skipped:
            loss = events.LossEvent(events.UNREADABLE, skipped, self._now, part.segment)
            found.append(loss)
        self.add(found, part.header)

    def add(self, found: Sequence[events.Event], header: events.Header) -> None:
        """Merge events that one process wrote."""
        project = clean(header.project, 64)
        release = self.releases.see(found, header, project)
        pid = header.pid or None  # of what was imported there is none
        for event in found:
            if isinstance(event, events.TaskEvent):
                self._add_task_event(event, project, pid, release)
            elif isinstance(event, events.WorkerEvent):
                self._add_worker_event(event, project, pid)
            elif isinstance(event, events.SampledEvent):
                self.counts.add_sampled(event, project)
            elif isinstance(event, events.LogEvent):
                self.logs.add(event, project)
            else:
                self._add_loss(event, header)

    @property
    def tasks(self) -> dict[tuple[str, str], TaskRow]:
        """By project and task id."""
        self.settle()
        return {key: life.row for key, life in self._lives.items()}

    def settle(self) -> None:
        """Write down what was heard so far; else whoever asks for the tasks waits for it."""
        for life in self._lives.values():
            life.settle(self._rules)
        self.errors.settle(self._rules)
        self.log_rows = self.logs.rows(self._rules)
        self.counts.settle()

    def _life(self, project: str, task_id: str) -> Life:
        life = self._lives.get((project, task_id))
        if life is None:
            life = self._lives[project, task_id] = Life(TaskRow(project, task_id))
        return life

    def _add_task_event(
        self, event: events.TaskEvent, project: str, pid: int | None, release: int | None
    ) -> None:
        task_id = identifier(event.task_id)
        life = self._life(project, task_id)
        attempt = lives.attempt_of(event)
        order = microseconds(event.at)
        at = moment(event.at)
        if "@" in event.worker:  # as each node's name has it
            self._hear(project, event.worker, at)
        if event.observed:
            release = None  # that of the bystander
        error = self.errors.add(event, project, release)
        life.add_state(event, attempt, order, (pid, release, error))
        if event.original is not None:
            kept = self.originals.get((project, task_id))
            if kept is None or (attempt, at) < kept[:2]:
                self.originals[project, task_id] = (attempt, at, event.original)
        if event.message is not None:
            self._merge_message(life, event, event.message, attempt, order)
        elif event.name and life.row.facts_order > NAMED:
            source = lives.HEARD if event.observed else lives.NAME
            life.add_facts(
                lives.facts_order(source, attempt, order), events.Message(name=event.name)
            )
        is_known = event.observed and event.kind == events.TASK_SENT
        if is_known or event.kind == events.TASK_PROGRESS:
            return
        self.counts.add(event, life.row, attempt, at)
        self.timeline.append(
            TimelineRow(
                project,
                task_id,
                event.kind[:16],
                at,
                attempt & describing.RETRIES,
                clean(event.worker),
                None if event.observed else pid,
                describing.detail(event, self._rules),
            )
        )

    def _merge_message(
        self,
        life: Life,
        event: events.TaskEvent,
        message: events.Message,
        attempt: int,
        order: int,
    ) -> None:
        row, at = life.row, moment(event.at)
        life.add_facts(lives.facts_order(lives.source_of(event, message), attempt, order), message)
        if message.is_member:
            member = events.Step(
                row.task_id, message.name, message.group_id, message.group_index, message.chord
            )
            root_id = message.root_id if message.root_id != event.task_id else ""
            self._add_group(row.project, member, root_id, at)
        for step in message.chain:
            self._add_embedded(row.project, step, message, at, carrier=row.task_id)

    def _add_embedded(
        self,
        project: str,
        step: events.Step,
        message: events.Message,
        at: float,
        carrier: str = "",
    ) -> None:
        """A task that is known before it is published: PENDING until its own events come.

        Until then its parent is the first task that carried it along.
        """
        task_id = identifier(step.task_id)
        life = self._life(project, task_id)
        if life.row.attempt < 0:
            life.row.attempt = life.row.state_order = 0
        order = lives.facts_order(lives.EMBEDDED, 0, microseconds(at))
        if order < life.row.facts_order:
            facts = events.Message(
                name=step.name,
                root_id=message.root_id,
                parent_id=carrier,
                group_id=step.group_id,
                group_index=step.group_index,
                chord=step.chord,
                rest=step.rest,
                retry_of=step.retry_of,
                operation=step.operation,
            )
            life.add_facts(order, facts)
        if step.is_member:
            self._add_group(project, step, message.root_id, at)

    def _add_group(self, project: str, member: events.Step, root_id: str, at: float) -> None:
        size = (member.group_index or 0) + 1
        self._merge_group(project, member.group_id, size, member.chord, root_id, at)

    def _merge_group(
        self,
        project: str,
        group_id: str,
        size: int,
        body: events.Step | None,
        root_id: str,
        at: float,
    ) -> None:
        """A group whose size is known so far; a chord's is that of what feeds its body.

        Celery publishes a body that is a group under the id of the chord's header, and without a
        body: it has no say in how many there are.
        """
        group_id = identifier(group_id)
        row = self.groups.get((project, group_id))
        if row is None:
            row = self.groups[project, group_id] = GroupRow(project, group_id, first_seen=at)
        row.first_seen = min(row.first_seen, at)
        kind = "group" if body is None else "chord"
        row.size, row.kind = _greater_group((row.size, row.kind), (size, kind))
        row.root_id = max(row.root_id, identifier(root_id))
        if body is None:
            return
        body_id = identifier(body.task_id)
        if body.is_group and body_id == group_id:  # Celery 5.6 gives it no id of its own
            body_id = identifier(f"{group_id}.body")
        row.body_id, row.body_name = max((row.body_id, row.body_name), (body_id, clean(body.name)))
        message = events.Message(root_id=root_id)
        if not body.is_group:
            self._add_embedded(project, body, message, at)
        elif body_id:
            self._merge_group(project, body_id, body.size, body.chord, root_id, at)
            for member in body.members:
                self._add_embedded(project, member, message, at)

    def _add_loss(self, event: events.LossEvent, header: events.Header) -> None:
        count = min(max(event.count, 0), 2**63 - 1)
        at = moment(event.at)
        reason, detail = clean(event.reason, 16), clean(event.detail)
        self.losses.append(
            LossRow(clean(header.project, 64), clean(header.host), reason, count, at, detail)
        )

    def _worker(self, project: str, name: str) -> WorkerRow:
        hostname = identifier(name)
        row = self.workers.get((project, hostname))
        if row is None:
            row = self.workers[project, hostname] = WorkerRow(project, hostname)
        return row

    def _hear(self, project: str, name: str, at: float) -> None:
        """A worker that does something is alive; its own word of its coming and going stands."""
        at = near(at, self._now)
        row = self._heard.get((project, name))
        if row is None:
            row = self._heard[project, name] = self._worker(project, name)
            if row.state_order < 0:
                row.state_order, row.online = 0, True
        if row.last_seen is None or at > row.last_seen:
            row.last_seen = at

    def _add_worker_event(self, event: events.WorkerEvent, project: str, pid: int | None) -> None:
        row = self._worker(project, event.hostname)
        online = event.kind != events.WORKER_OFFLINE
        # Else nobody would hear of a worker after one whose clock was far ahead.
        at = near(moment(event.at), self._now)
        # At one instant the end stands: a worker says nothing after it.
        order = microseconds(at) << 1 | (not online)
        if order > row.state_order:
            row.state_order, row.online = order, online
        if online:
            row.last_seen = lives.later(row.last_seen, at)
        else:
            row.stopped_at = lives.later(row.stopped_at, at)
        is_newest = row.started_at is None or at > row.started_at
        if event.kind == events.WORKER_ONLINE and is_newest:
            row.started_at = at
            row.pid = event.pid if event.observed else pid
            row.pool = clean(event.pool, 64)
            row.concurrency = event.concurrency
            row.queues = as_json([clean(name) for name in list(event.queues)[:100]])
            row.version = clean(event.version, 64)


def _greater_group(one: tuple[int, str], other: tuple[int, str]) -> tuple[int, str]:
    """Size and kind of a group: a chord before a group, then the greater."""
    return max(one, other, key=lambda pair: (pair[1] == "chord", pair[0]))
