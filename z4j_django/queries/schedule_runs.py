"""The schedules with their last runs, and when each is due next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from z4j_django.agent import events
from z4j_django.models import ConditionRecord, TaskRecord, WorkerRecord
from z4j_django.queries import holding, index_ranges, timetable
from z4j_django.queries.timetable import Entry

#: Runs that are shown of one schedule.
RUNS: Final = 8
#: Schedules of one page.
LIMIT: Final = 100
#: What is read of a run; one that was published by an operation was run by hand.
_COLUMNS: Final = ("project", "task_id", "schedule", "state", "sent_at", "runtime", "operation")
#: Beats of one project.
BEATS: Final = 10
#: The condition that tells which should have run.
OVERDUE: Final = "schedule_overdue"


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
        """When beat last published its task, as far as anybody knows."""
        own = [run.sent_at for run in self.runs if run.operation is None]
        known = [*own, self.entry.last_run_at]
        return max((at for at in known if at is not None), default=None)

    @property
    def runtime(self) -> float | None:
        """How long the newest of them that ended ran, in seconds."""
        ended = (run.runtime for run in reversed(self.runs) if run.runtime is not None)
        return next(ended, None)

    def due(self, now: datetime) -> datetime | None:
        """When it is due next; where it is overdue, when it was."""
        if self.overdue is not None:
            return self.overdue.since
        if self.entry.expires is not None and self.entry.expires <= now:
            return None
        return timetable.following(self.entry, self.last_sent or self.entry.since, now)


@dataclass(frozen=True)
class Page:
    """Some of the schedules.

    Attributes:
        rows: What is overdue for the longest first, then what is due next, as far as that is known
            without a look at the records.
        total: How many schedules there are.
        overdue: How many of them are overdue.
    """

    rows: list[Schedule]
    total: int
    overdue: int


def page(project: str, now: datetime, first: int = 0, name: str = "") -> Page:
    """The schedules from a place on, :data:`LIMIT` at most; or only the one of a name."""
    entries = [one for one in timetable.entries() if not name or one.name == name]
    held = holding.of_kind(OVERDUE, project) if entries else ()
    return part(project, now, entries, held, slice(first, first + LIMIT))


def part(
    project: str,
    now: datetime,
    entries: Iterable[Entry],
    held: Iterable[ConditionRecord],
    places: slice,
    runs: int = RUNS,
) -> Page:
    """Some of the schedules, in one query.

    Args:
        project: Whose.
        now: The moment.
        entries: All schedules.
        held: What is on record of those that are overdue.
        places: Which are shown of them, in their order.
        runs: How many runs of each, at most.
    """
    overdue = {one.subject: one for one in held}
    every = [Schedule(entry, overdue=overdue.get(entry.name)) for entry in entries]
    every.sort(key=lambda one: _place(one, now))
    shown = every[places]
    found = newest(project, [one.entry.name for one in shown], runs)
    for one in shown:
        one.runs = found[one.entry.name]
    return Page(shown, len(every), sum(one.overdue is not None for one in every))


def beats(project: str) -> list[WorkerRecord]:
    """The beats of a project, those that were heard of last first."""
    mine = WorkerRecord.objects.filter(project=project, pool=events.BEAT)
    return list(mine.order_by("-online", "-last_seen")[:BEATS])


def last_by_beat(project: str, entry: Entry) -> datetime | None:
    """When beat last published an entry's task, as far as anybody knows."""
    return Schedule(entry, newest(project, [entry.name])[entry.name]).last_sent


def _place(one: Schedule, now: datetime) -> tuple[bool, float, str]:
    due = one.due(now)
    return one.overdue is None, due.timestamp() if due else float("inf"), one.entry.name


def newest(project: str, names: Sequence[str], limit: int = RUNS) -> dict[str, list[TaskRecord]]:
    """The newest tasks that each of some schedules published, the newest last."""
    found: dict[str, list[TaskRecord]] = {name: [] for name in names}
    if not names:
        return found
    # The index has none without a schedule.
    mine = TaskRecord.objects.filter(project=project, retry_of="").exclude(schedule="")
    rows = index_ranges.newest_rows(mine.only(*_COLUMNS), "schedule", names, limit)
    for run in sorted(rows, key=lambda run: run.pk):
        found[run.schedule].append(run)
    return found
