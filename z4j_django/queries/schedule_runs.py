"""The schedules with their last runs, and when each is due next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from z4j_django.models import ConditionRecord, TaskRecord
from z4j_django.queries import holding, timetable
from z4j_django.queries.timetable import Entry

#: Runs that are shown of one schedule.
RUNS: Final = 8
#: Schedules that are shown, at most.
LIMIT: Final = 500
#: The condition that tells which should have run.
OVERDUE: Final = "schedule_overdue"
#: Schedules whose runs are sought in one statement.
_AT_ONCE: Final = 250


@dataclass
class Schedule:
    """A schedule as it stands.

    Attributes:
        entry: What it is.
        runs: The newest tasks that it published, the newest last.
        overdue: What is on record as wrong with it: that it should have run, and since when.
    """

    entry: Entry
    runs: list[TaskRecord] = field(default_factory=list)
    overdue: ConditionRecord | None = None

    @property
    def last_sent(self) -> datetime | None:
        """When it last published a task, as far as anybody knows."""
        known = [run.sent_at for run in self.runs[-1:]] + [self.entry.last_run_at]
        return max((at for at in known if at is not None), default=None)

    def due(self, now: datetime) -> datetime | None:
        """When it is due next; where it is overdue, when it was."""
        if self.overdue is not None:
            return self.overdue.since
        if self.entry.expires is not None and self.entry.expires <= now:
            return None
        return timetable.following(self.entry, self.last_sent or self.entry.since, now)


def table(project: str, now: datetime) -> list[Schedule]:
    """All schedules: what is overdue for the longest first, then what is due next."""
    entries = timetable.entries()[:LIMIT]
    found = {entry.name: Schedule(entry) for entry in entries}
    for run in _runs(project, list(found)):
        found[run.schedule].runs.insert(0, run)
    if found:
        for one in holding.of_kind(OVERDUE, project):
            if one.subject in found:
                found[one.subject].overdue = one
    return sorted(found.values(), key=lambda one: _place(one, now))


def _place(one: Schedule, now: datetime) -> tuple[bool, float, str]:
    due = one.due(now)
    return one.overdue is None, due.timestamp() if due else float("inf"), one.entry.name


def _runs(project: str, names: Sequence[str]) -> list[TaskRecord]:
    """The newest tasks of each schedule, the newest of all first."""
    found: list[TaskRecord] = []
    for first in range(0, len(names), _AT_ONCE):
        ids = timetable.newest(project, names[first : first + _AT_ONCE], RUNS)
        rows = TaskRecord.objects.filter(pk__in=ids).only(
            "schedule", "state", "sent_at", "task_id", "name", "project"
        )
        found += sorted(rows, key=lambda run: -run.pk)
    return found
