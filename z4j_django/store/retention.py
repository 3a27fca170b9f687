"""Deletes what is older than it need be: a little at a time, from the oldest row on.

Ids are given in the order of first sight, about. So a walk along the primary key meets what is
old first, needs no index on time, and may end where nothing is old enough to go any more. It
reads in windows and deletes in small transactions, which wait for no one: a row that a shipper
is writing is left to the next run.
"""

from __future__ import annotations

import datetime
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from z4j_django import logs, states
from z4j_django.counters import SCOPES
from z4j_django.retention_policy import RetentionPolicy
from z4j_django.store import deleting, sightings, statistics

logger = logs.logger("z4j_django.retention")

#: Tasks in one transaction.
BATCH: Final = 1_000
#: Seconds between two runs of a shipper.
EVERY: Final = 3600.0
#: Seconds for which a cursor outlives its segment, for a shipper that still has a batch of it
#: in hand. No age lets a cursor go before: its host may be away for any time.
CURSOR_AGE: Final = 30 * 86400.0

#: What goes beside tasks.
OTHERS: Final = (
    "events",
    "payloads",
    "logs",
    "groups",
    "errors",
    "operations",
    "workers",
    "journals",
    "losses",
    "samples",
    "conditions",
    "alerts",
    "silences",
    "cursors",
    "statistics",
)

#: What goes with tasks, by the table.
_OF_TASKS: Final = {"events": "TaskEvent", "payloads": "TaskPayload", "logs": "TaskLog"}

# MariaDB makes a join of a longer list, and reads the whole table for it.
_AT_ONCE: Final = 500
_TASK: Final = ("pk", "project", "task_id", *sightings.COLUMNS)
_OPERATION: Final = ("pk", "project", "created_at", "finished_at")


@dataclass
class Tally:
    """What a run has deleted so far, or would delete.

    Attributes:
        tasks: By state.
        others: By table, as ``OTHERS`` names them.
        busy: Tasks that someone was writing; they are left to the next run.
        place: The id of the task that was looked at last.
    """

    tasks: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    busy: int = 0
    place: int = 0


def prune(
    policy: RetentionPolicy, project: str, *, batch: int = BATCH, dry_run: bool = False
) -> Iterator[Tally]:
    """Delete what is older than the policy has it; it may be left after any batch, and begun anew.

    Args:
        policy: How old records get.
        project: Whose.
        batch: Tasks to look at, and to delete at most, in one go.
        dry_run: Only count. Groups are not counted: they go after the last of their members.

    Yields:
        The same tally after each batch.
    """
    run = _Run(policy, project, batch, dry_run)
    parts = (run.payloads, run.tasks, run.groups, run.errors, run.operations, run.workers)
    rest = (run.journals, run.losses, run.samples, run.conditions, run.alerts, run.silences)
    for part in (*parts, *rest, run.cursors, run.statistics):
        for _ in part():
            yield run.tally


def span(policy: RetentionPolicy) -> tuple[int, int]:
    """The ids of tasks between which a run looks, about, found by halving."""
    rows = deleting.rows_of("TaskRecord")
    first = low = rows.order_by("pk").values_list("pk", flat=True).first() or 0
    high = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    cutoff = time.time() - _shortest(policy)
    while low < high:
        middle = (low + high) // 2
        found = deleting.read(rows.filter(pk__gte=middle), _TASK, 1)
        if found and sightings.first_sight(found[0]) <= cutoff:
            low = found[0].pk + 1
        else:
            high = middle
    return first, low


class Housekeeper:
    """A run every hour, for a shipper: one batch whenever it is asked.

    Args:
        policy: How old records get.
        project: Whose.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, policy: RetentionPolicy, project: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.policy = policy
        self.project = project
        self._clock = clock
        self._next = clock()
        self._run: Iterator[Tally] | None = None

    def step(self) -> None:
        """Do one batch, if there is anything to do."""
        if self._run is None and self._clock() >= self._next:
            self._next = self._clock() + EVERY
            self._run = prune(self.policy, self.project)
        run, self._run = self._run, None  # what fails is begun anew in an hour
        for _ in run or ():
            self._run = run
            break


def let_cursors_go(segments: Sequence[str]) -> None:
    """Say of the cursors of ``segments`` that no host has these any more."""
    for names in deleting.parts(segments, _AT_ONCE):
        deleting.rows_of("JournalCursor").filter(segment__in=names).update(
            deleted_at=_moment(time.time())
        )


class _Run:
    def __init__(self, policy: RetentionPolicy, project: str, batch: int, dry_run: bool) -> None:
        self.policy = policy
        self.project = project
        self.batch = batch
        self.dry_run = dry_run
        self.now = time.time()
        self.tally = Tally()

    def payloads(self) -> Iterator[None]:
        """Messages that have an age of their own; the others go with their task."""
        if self.policy.payloads is not None:
            old = Q(project=self.project) & self._before("created_at", self.policy.payloads)
            yield from self._others("payloads", "TaskPayload", old, "project", "task_id")

    def tasks(self) -> Iterator[None]:
        """Tasks with their events, their messages and their logs."""
        if not self.policy.tasks:
            return
        cutoff = self.now - _shortest(self.policy)
        for window in self._windows("TaskRecord", _TASK):
            old = sorted((row for row in window if self._is_old(row)), key=lambda row: row.task_id)
            if old:
                found, others = deleting.patiently(self._take, old)
                self.tally.tasks += found
                self.tally.others += others
                self.tally.busy += len(old) - found.total()
            self.tally.place = window[-1].pk
            yield
            # What claims to be of the future says nothing of those behind it.
            if all(cutoff < sightings.first_sight(row) <= self.now for row in window):
                return

    def groups(self) -> Iterator[None]:
        """Groups of whose members, and of whose chord's body, no record is left."""
        if not self.policy.tasks or self.dry_run:
            return
        cutoff = _moment(self.now - _shortest(self.policy))
        now = _moment(self.now)
        for window in self._windows("GroupRecord", ("pk", "project", "first_seen")):
            old = [
                row.pk for row in window if row.project == self.project and row.first_seen < cutoff
            ]
            self.tally.others["groups"] += deleting.patiently(self._delete_groups, old)
            yield
            if all(cutoff < row.first_seen <= now for row in window):
                return

    def errors(self) -> Iterator[None]:
        """Causes of failures that were not seen for as long as failures are kept."""
        age = self.policy.tasks.get(states.FAILURE)
        if age is not None:
            old = Q(project=self.project) & self._before("last_seen", age)
            yield from self._others("errors", "ErrorGroup", old, "project", "fingerprint")
            if not self.dry_run:
                key = ("project", "fingerprint", "release")
                yield from self._others("errors in releases", "ErrorRelease", old, *key)

    def operations(self) -> Iterator[None]:
        """What operators did, with its targets and the messages that it saved."""
        if self.policy.operations is None:
            return
        cutoff, now = _moment(self.now - self.policy.operations.total_seconds()), _moment(self.now)
        for window in self._windows("Operation", _OPERATION):
            for row in window:
                if row.project == self.project and row.finished_at and row.finished_at < cutoff:
                    yield from self._take_operation(row.pk)
            yield
            if all(cutoff < row.created_at <= now for row in window):
                return

    def workers(self) -> Iterator[None]:
        """Workers of which nothing was heard."""
        if self.policy.rest is not None:
            old = Q(project=self.project)
            for name in ("started_at", "last_seen", "stopped_at"):
                old &= Q(**{f"{name}__isnull": True}) | self._before(name, self.policy.rest)
            yield from self._others("workers", "WorkerRecord", old, "hostname")

    def journals(self) -> Iterator[None]:
        """Journals that were empty when they were last heard of."""
        if self.policy.rest is not None:
            old = Q(pending=0) & self._before("seen_at", self.policy.rest)
            yield from self._others("journals", "JournalRecord", old, "host", "directory")

    def losses(self) -> Iterator[None]:
        """What is said of events that were lost."""
        if self.policy.rest is not None:
            old = Q(project=self.project) & self._before("at", self.policy.rest)
            yield from self._others("losses", "JournalLoss", old, "pk")

    def samples(self) -> Iterator[None]:
        """Samples of queues."""
        if self.policy.samples is not None:
            old = Q(project=self.project) & self._before("at", self.policy.samples)
            yield from self._others("samples", "QueueSample", old, "pk")

    def conditions(self) -> Iterator[None]:
        """What was wrong once."""
        if self.policy.conditions is not None:
            old = Q(project=self.project) & self._before("ended_at", self.policy.conditions)
            yield from self._others("conditions", "ConditionRecord", old, "pk")

    def alerts(self) -> Iterator[None]:
        """What was told, and what rules did; of what still holds, the last message stays."""
        if self.policy.alerts is None:
            return
        mine, age = Q(project=self.project), self.policy.alerts
        still = deleting.rows_of("AlertNotice").filter(mine, is_open=True)
        newest = deleting.rows_of("AlertDelivery").filter(notice__in=still).values("notice")
        kept = list(newest.annotate(last=Max("pk")).values_list("last", flat=True)[:_AT_ONCE])
        old = mine & self._before("created_at", age) & ~Q(pk__in=kept)
        yield from self._others("alerts", "AlertDelivery", old, "pk")
        if not self.dry_run:
            deliveries = deleting.rows_of("AlertDelivery").filter(notice=OuterRef("pk"))
            told = mine & self._before("closed_at", age) & ~Q(Exists(deliveries))
            yield from self._others("alerts by their causes", "AlertNotice", told, "pk")
        yield from self._others("alerts", "AlertAct", mine & self._before("at", age), "pk")

    def silences(self) -> Iterator[None]:
        """Silences that are over."""
        if self.policy.alerts is not None:
            age = self.policy.alerts
            over = self._before("until", age) | self._before("ended_at", age)
            mine = Q(project=self.project) & over
            yield from self._others("silences", "AlertSilence", mine, "pk")

    def cursors(self) -> Iterator[None]:
        """Cursors of segments that are on no host any more."""
        old = self._before("deleted_at", datetime.timedelta(seconds=CURSOR_AGE))
        yield from self._others("cursors", "JournalCursor", old, "segment")

    def statistics(self) -> Iterator[None]:
        """What is counted by steps too short to matter still; before it, what no shipper added."""
        while not self.dry_run and statistics.compact():
            yield
        for step, age in self.policy.statistics.items():
            old = Q(step=step, scope__in=SCOPES, at__lt=self.now - age.total_seconds())
            yield from self._others("statistics", "Statistic", old & Q(project=self.project), "pk")

    def _before(self, name: str, age: datetime.timedelta) -> Q:
        return Q(**{f"{name}__lt": _moment(self.now - age.total_seconds())})

    def _is_old(self, row: Any) -> bool:
        age = self.policy.tasks.get(row.state)
        if age is None or row.project != self.project:
            return False
        last = sightings.last_word(row)
        return last is not None and last < self.now - age.total_seconds()

    def _windows(self, name: str, columns: Sequence[str]) -> Iterator[list[Any]]:
        """The rows of a table by their key, whatever the project: no other index is tempting."""
        last = 0
        while window := deleting.read(
            deleting.rows_of(name).filter(pk__gt=last), columns, self.batch
        ):
            yield window
            last = window[-1].pk

    def _take(self, old: Sequence[Any]) -> tuple[Counter[str], Counter[str]]:
        """Tasks by state, and what goes with them; sorted, they are locked as writers do."""
        found: Counter[str] = Counter()
        others: Counter[str] = Counter()
        with nullcontext() if self.dry_run else deleting.short_transaction():
            for part in deleting.parts(old, _AT_ONCE):
                still = part if self.dry_run else self._still_old(part)
                found.update(row.state for row in still)
                ids = [row.task_id for row in still]
                for noun, model in _OF_TASKS.items():
                    rows = deleting.rows_of(model).filter(task_id__in=ids, project=self.project)
                    # Those that are old themselves are counted already.
                    if noun == "payloads" and self.dry_run and self.policy.payloads:
                        rows = rows.exclude(self._before("created_at", self.policy.payloads))
                    others[noun] += rows.count() if self.dry_run else deleting.delete(rows)
                if not self.dry_run:
                    deleting.delete(
                        deleting.rows_of("TaskRecord").filter(pk__in=[row.pk for row in still])
                    )
        return found, others

    def _still_old(self, found: Sequence[Any]) -> list[Any]:
        rows = deleting.rows_of("TaskRecord").filter(pk__in=[row.pk for row in found])
        locked = deleting.locked(rows.order_by("project", "task_id"))
        return [row for row in locked.values_list(*_TASK, named=True) if self._is_old(row)]

    def _take_operation(self, number: int) -> Iterator[None]:
        """An operation that goes; before it, in parts, what belongs to it."""
        if not self.dry_run:
            for name in ("SavedMessage", "OperationTarget"):
                rows = deleting.rows_of(name).filter(operation=number)
                while keys := list(rows.values_list("pk", flat=True)[:_AT_ONCE]):
                    deleting.patiently(deleting.delete, rows.filter(pk__in=keys))
                    yield
            deleting.patiently(deleting.delete, deleting.rows_of("Operation").filter(pk=number))
        self.tally.others["operations"] += 1

    def _delete_groups(self, old: Sequence[int]) -> int:
        gone = 0
        for part in deleting.parts(old, _AT_ONCE):
            empty = _without_members(deleting.rows_of("GroupRecord").filter(pk__in=part))
            if keys := list(empty.values_list("pk", flat=True)):
                with deleting.short_transaction():
                    rows = deleting.rows_of("GroupRecord").filter(pk__in=keys)
                    ordered = deleting.locked(rows.order_by("project", "group_id"))
                    locked = list(ordered.values_list("pk", flat=True))
                    # Whoever writes a member writes its group, too: none comes from here on.
                    still = _without_members(rows.filter(pk__in=locked))
                    gone += deleting.delete(
                        rows.filter(pk__in=list(still.values_list("pk", flat=True)))
                    )
        return gone

    def _others(self, noun: str, model: str, old: Q, *key: str) -> Iterator[None]:
        """The rows of a table in which what is old is few, or has an index."""
        rows = deleting.rows_of(model).filter(old)
        if self.dry_run:
            self.tally.others[noun] += rows.count()
            yield
            return
        while keys := list(rows.values_list("pk", flat=True)[:_AT_ONCE]):
            gone = deleting.patiently(deleting.delete_locked, rows.filter(pk__in=keys), key)
            self.tally.others[noun] += gone
            yield
            if not gone:  # all of them are being written
                return


def _without_members(groups: QuerySet[Any]) -> QuerySet[Any]:
    mine = deleting.rows_of("TaskRecord").filter(project=OuterRef("project"))
    # The index on groups leaves out the tasks that have none.
    members = mine.exclude(group_id="").filter(group_id=OuterRef("group_id"))
    bodies = mine.filter(task_id=OuterRef("body_id"))
    # A body that is a group stays with its chord, under whose id its members are.
    chords = deleting.rows_of("GroupRecord").filter(
        project=OuterRef("project"), body_id=OuterRef("group_id")
    )
    chords = chords.exclude(pk=OuterRef("pk"))
    return groups.exclude(Exists(members)).exclude(Exists(bodies)).exclude(Exists(chords))


def _shortest(policy: RetentionPolicy) -> float:
    return policy.shortest.total_seconds() if policy.shortest is not None else float("inf")


def _moment(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC if settings.USE_TZ else None)
