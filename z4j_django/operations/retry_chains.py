"""All runs of one task: what it retried, what retried it, and so on. The newest one counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from django.db.models import Q

from z4j_django import states
from z4j_django.control.results import REPLAY_TASK
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.queries import groups

#: Ids in one query.
_AT_ONCE: Final = 500
#: Celery's own task that looks whether a chord's header is done; it has its body's headers.
_UNLOCK: Final = "celery.chord_unlock"
_FIELDS: Final = (
    "task_id",
    "name",
    "state",
    "worker",
    "group_id",
    "group_index",
    "parent_id",
    "retry_of",
    "operation",
    "sent_at",
    "received_at",
    "started_at",
    "finished_at",
)


class RetryChains:
    """The retry chains of some tasks of a project.

    Args:
        project: Whose tasks they are.
    """

    def __init__(self, project: str) -> None:
        self._project = project
        self._records: dict[str, TaskRecord] = {}
        self._retries: dict[str, list[str]] = defaultdict(list)

    @property
    def known(self) -> frozenset[str]:
        """The tasks that were found on record so far."""
        return frozenset(self._records)

    def members(self, group: GroupRecord) -> list[TaskRecord]:
        """The tasks on record of a group, and their retry chains are known from now on."""
        found = list(self._found(groups.membership(group)))
        self._add(found)
        return sorted((self._records[one.task_id] for one in found), key=lambda one: one.pk)

    def record(self, task_id: str) -> TaskRecord | None:
        """A task, if it is on record."""
        self.load([task_id])
        return self._records.get(task_id)

    def load(self, task_ids: Iterable[str]) -> None:
        """Read many tasks at once, for :meth:`record`."""
        wanted = {task_id for task_id in task_ids if task_id} - self._records.keys()
        self._add(self._by("task_id__in", wanted))

    def runs(self, record: TaskRecord) -> list[TaskRecord]:
        """All runs of a task, the newest first.

        A replay that did not succeed is none: what it was to replay stands as it did.
        """
        first = record
        seen = {first.task_id}
        while (earlier := self._records.get(first.retry_of)) and earlier.task_id not in seen:
            first = earlier
            seen.add(first.task_id)
        found, waiting = {first.task_id: first}, [first.task_id]
        while waiting:
            for task_id in self._retries[waiting.pop()]:
                if task_id not in found:
                    found[task_id] = self._records[task_id]
                    waiting.append(task_id)
        runs = [one for one in found.values() if _counts(one)] or [record]
        return sorted(runs, key=lambda one: -one.pk)

    def _add(self, found: Iterable[TaskRecord]) -> None:
        new = [one for one in found if one.task_id not in self._records]
        while new:
            for one in new:
                self._records[one.task_id] = one
                if one.retry_of:
                    self._retries[one.retry_of].append(one.task_id)
            earlier = {one.retry_of for one in new if one.retry_of} - self._records.keys()
            later = {one.task_id for one in new}
            linked = [*self._by("task_id__in", earlier), *self._by("retry_of__in", later)]
            new = [
                one
                for one in {one.task_id: one for one in linked}.values()
                if one.task_id not in self._records
            ]

    def _by(self, lookup: str, ids: set[str]) -> Iterator[TaskRecord]:
        ordered = sorted(ids)
        for first in range(0, len(ordered), _AT_ONCE):
            yield from self._found(Q(**{lookup: ordered[first : first + _AT_ONCE]}))

    def _found(self, condition: Q) -> Iterable[TaskRecord]:
        found = primary(TaskRecord).filter(condition, project=self._project)
        return found.only("id", *_FIELDS).order_by("id")


def is_published(record: TaskRecord) -> bool:
    """Whether a task's message ever left, as far as anybody told."""
    moments = (record.sent_at, record.received_at, record.started_at, record.finished_at)
    return any(moment is not None for moment in moments)


def is_under_way(record: TaskRecord) -> bool:
    """Whether a task waits in its queue, or runs."""
    return is_published(record) and record.state in states.UNFINISHED


def is_replay(record: TaskRecord) -> bool:
    """Whether it only returned the result of another run."""
    return bool(record.name == REPLAY_TASK)


def _counts(record: TaskRecord) -> bool:
    if record.name == _UNLOCK:
        return False
    return bool(record.state == states.SUCCESS) or not is_replay(record)
