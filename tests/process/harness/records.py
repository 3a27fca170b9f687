"""Reads the records of a scene's database from the process of the tests."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from django.db import connections
from django.db.models import QuerySet

from example_project import environment
from z4j_django import states
from z4j_django.models import (
    GroupRecord,
    JournalCursor,
    Statistic,
    TaskEvent,
    TaskRecord,
    WorkerRecord,
)


class Records:
    """The tables of one database.

    Args:
        url: Of the database.
    """

    def __init__(self, url: str) -> None:
        self.alias = f"scene_{uuid.uuid4().hex[:8]}"
        entries = {"default": {}, self.alias: environment.database(url, Path())}
        connections.settings[self.alias] = connections.configure_settings(entries)[self.alias]

    def close(self) -> None:
        """Let go of the database."""
        connections[self.alias].close()
        del connections[self.alias]
        del connections.settings[self.alias]

    @property
    def tasks(self) -> QuerySet[TaskRecord]:
        """All task records."""
        return TaskRecord.objects.using(self.alias)

    @property
    def events(self) -> QuerySet[TaskEvent]:
        """All events."""
        return TaskEvent.objects.using(self.alias)

    @property
    def groups(self) -> QuerySet[GroupRecord]:
        """All group records."""
        return GroupRecord.objects.using(self.alias)

    @property
    def workers(self) -> QuerySet[WorkerRecord]:
        """All worker records."""
        return WorkerRecord.objects.using(self.alias)

    @property
    def cursors(self) -> QuerySet[JournalCursor]:
        """All cursors."""
        return JournalCursor.objects.using(self.alias)

    @property
    def statistics(self) -> QuerySet[Statistic]:
        """All statistics."""
        return Statistic.objects.using(self.alias)

    def task(self, task_id: str) -> TaskRecord:
        """One task."""
        return self.tasks.get(task_id=task_id)

    def state(self, task_id: str) -> str | None:
        """A task's state; ``None`` if it is not on record."""
        return self.tasks.filter(task_id=task_id).values_list("state", flat=True).first()

    def timeline(self, task_id: str) -> list[str]:
        """The kinds of a task's events in order, without their ``task_`` at the front."""
        found = self.events.filter(task_id=task_id).order_by("at", "id")
        return [kind.removeprefix("task_") for kind in found.values_list("kind", flat=True)]

    def counted(self, task_id: str) -> Counter[str]:
        """How often each kind of event is on a task's timeline."""
        return Counter(self.timeline(task_id))

    def members(self, group_id: str) -> list[str]:
        """The ids of a group's members in order."""
        found = self.tasks.filter(group_id=group_id).order_by("group_index")
        return list(found.values_list("task_id", flat=True))

    def unfinished(self, task_ids: Iterable[str]) -> set[str]:
        """Those of ``task_ids`` that have not ended on record."""
        wanted = set(task_ids)
        ended = self.tasks.filter(task_id__in=wanted, state__in=states.FINISHED)
        return wanted - set(ended.values_list("task_id", flat=True))
