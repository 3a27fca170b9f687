"""The steps of a workflow: a task and its retries are one, and the newest says how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from z4j_django import states
from z4j_django.models import TaskRecord
from z4j_django.queries import tasks
from z4j_django.queries.graphs import Graph
from z4j_django.queries.tasks import Relative
from z4j_django.values import INTERNAL

#: What is said of a step that has no state of its own.
NEVER_SENT: Final = "NEVER SENT"
NOT_SENT: Final = "NOT SENT"
UNKNOWN: Final = "UNKNOWN"
WORDS: Final = (*states.ALL, NOT_SENT, NEVER_SENT, UNKNOWN)


@dataclass(eq=False)
class Step:
    """A task with its retries.

    Attributes:
        task: The newest of them.
        earlier: Those before it that are on record, the oldest first.
        group_id: The group that it is a member of; empty for none.
        word: Its state; ``NEVER SENT`` where something before it ended badly, and ``NOT SENT``
            where that has not ended; ``UNKNOWN`` where others name it and it is not on record.
        pace: How long it waited and ran; nothing where it is not on record.
        begins: When it began to wait: when it was sent first, or was due.
        ends: When it ended; now, for what runs.
        is_critical: Whether it is on the way that took longest.
    """

    task: Relative
    earlier: list[TaskRecord]
    group_id: str = ""
    word: str = UNKNOWN
    pace: tasks.Pace | None = None
    begins: datetime | None = None
    ends: datetime | None = None
    is_critical: bool = False

    @property
    def name(self) -> str:
        """The task's."""
        return self.task.name or (self.task.record.name if self.task.record else "")

    @property
    def is_sent(self) -> bool:
        """Whether anything of it was ever sent, as far as is known."""
        return self.word not in (NEVER_SENT, NOT_SENT)


def collected(graph: Graph) -> tuple[list[Step], dict[str, int]]:
    """The steps of a graph in the order in which they were sent, and the number of each task's."""
    steps: list[Step] = []
    number: dict[str, int] = {}
    lines = _Lines()
    for edge in graph.edges:
        if edge.kind == "retry":
            lines.join(edge.source, edge.target)
    left_out = _left_out(graph)
    by_line: dict[str, list[Relative]] = {}
    for node in graph.nodes:
        if node.task_id not in left_out:
            by_line.setdefault(lines.of(node.task_id), []).append(node)
    for line in sorted(by_line.values(), key=_coming):
        for node in line:
            number[node.task_id] = len(steps)
        records = [node.record for node in line if node.record is not None]
        # What replays a result is no run of the task.
        runs = [one for one in records if not one.name.startswith(INTERNAL)] or records
        newest = Relative(runs[-1].task_id, runs[-1]) if runs else line[-1]
        steps.append(Step(newest, runs[:-1]))
    return steps, number


def _left_out(graph: Graph) -> set[str]:
    """What only tasks that were retried wait for: their retries have it under other ids."""
    found = set[str]()
    superseded = {edge.source for edge in graph.edges if edge.kind == "retry"}
    following = [edge for edge in graph.edges if edge.kind == "next"]
    for edge in following:
        if edge.source in superseded or edge.source in found:
            found.add(edge.target)
    found -= {node.task_id for node in graph.nodes if node.record is not None}
    for edge in graph.edges:
        if edge.kind != "next":
            found -= {edge.source, edge.target}
        elif edge.source not in superseded and edge.source not in found:
            found.discard(edge.target)
    return found


def tell(step: Step, now: datetime, ended_badly: bool, follows: bool) -> None:
    """Fill in how a step stands.

    Args:
        step: Which.
        now: The moment of which it is told.
        ended_badly: Whether something before it did.
        follows: Whether there is anything before it.
    """
    record = step.task.record
    if record is None:
        if step.task.never_sent or (follows and ended_badly and step.task.name):
            step.word = NEVER_SENT
        elif step.task.name:
            step.word = NOT_SENT
        return
    step.word = record.state
    unsent = record.sent_at is None and record.received_at is None
    if record.state == states.PENDING and unsent and follows:
        step.word = NEVER_SENT if ended_badly else NOT_SENT
        return
    step.pace = tasks.pace(record, now)
    first = step.earlier[0] if step.earlier else record
    step.begins = first.sent_at or first.received_at or first.started_at
    if first is record and record.eta and step.begins and step.begins < record.eta:
        step.begins = min(record.eta, record.started_at or record.eta)
    running = record.state == states.STARTED
    step.ends = now if running else record.finished_at or record.started_at


class _Lines:
    """Which tasks are retries of one another."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def of(self, task_id: str) -> str:
        """The task that names the line."""
        while (above := self._above.get(task_id, task_id)) != task_id:
            self._above[task_id] = self._above.get(above, above)
            task_id = above
        return task_id

    def join(self, one: str, other: str) -> None:
        first, second = self.of(one), self.of(other)
        if first != second:
            self._above[second] = first


def _coming(line: Sequence[Relative]) -> tuple[bool, float, int]:
    """By the time at which the first of some retries was sent, then by its place in its group."""
    record = line[0].record
    if record is None:
        return True, 0.0, 0
    sent = record.sent_at or record.received_at or record.started_at
    return False, sent.timestamp() if sent else float("inf"), record.group_index or 0
