"""How many of some tasks a verb would be done to, and how many refused, by reason.

It is told for many at once, in few queries, and as far as the records tell: what only the message
itself says, an operation finds when it is about to publish it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from z4j_django import states, verbs
from z4j_django.control import results
from z4j_django.models import OperationTarget, TaskPayload, TaskRecord, WorkerRecord
from z4j_django.models.primary import primary
from z4j_django.operations import revoking
from z4j_django.queries import lookups
from z4j_django.values import counted

#: Tasks that are looked at, at most.
LIMIT: Final = 1_000
#: Time in which what an operation has published may not be on record yet.
_A_MOMENT: Final = timedelta(minutes=5)
_Outcome = OperationTarget.Outcome

_UNKNOWN: Final = "not on record"
_UNFINISHED: Final = "under way still"
_RETRIED: Final = "retried already"
_IN_CHORD: Final = "of a chord, which is to be retried as a whole"
_NO_MESSAGE: Final = "without its message, which was not kept"
_OVER: Final = "over already"
_RUNS: Final = "running already"
_POOL: Final = "on a worker whose pool can't end a single task"
#: All of them.
REASONS: Final = (
    *(_UNKNOWN, _UNFINISHED, _RETRIED, _IN_CHORD),
    *(_NO_MESSAGE, _OVER, _RUNS, _POOL),
)


class Row(NamedTuple):
    """What of a record is looked at; of a thousand, records take Django far longer."""

    id: int
    task_id: str
    state: str
    worker: str
    chord_id: str


#: Columns of a record that are looked at.
COLUMNS: Final = Row._fields
_Rows = Mapping[str, TaskRecord | Row]


@dataclass
class Tally:
    """What would come of some tasks.

    Attributes:
        looked_at: How many there are.
        reasons: Why those would be refused that would, by their ids.
        recovered: How many of those that were retried before have succeeded since.
    """

    looked_at: int
    reasons: dict[str, str] = field(default_factory=dict)
    recovered: int = 0

    @property
    def refused(self) -> Counter[str]:
        """How many would be refused, by the reason."""
        return Counter(self.reasons.values())

    @property
    def willing(self) -> int:
        """To how many it would be done."""
        return self.looked_at - len(self.reasons)

    def why(self, task_id: str) -> str:
        """Why a task would be refused, as a sentence; empty where it would not."""
        reason = self.reasons.get(task_id, "")
        return f"It is {reason}." if reason else ""

    @property
    def words(self) -> list[str]:
        """Those that would be refused, in words, the most first."""
        return [f"{count:,} {reason}" for reason, count in self.refused.most_common()]

    @property
    def told(self) -> str:
        """All of it as a sentence."""
        found = f"{counted(self.looked_at, 'task')}: {self.willing:,} will be acted on"
        return f"{found}, {len(self.reasons):,} refused." if self.reasons else f"{found}."


def of(verb: str, project: str, task_ids: Sequence[str], *, force: bool = False) -> Tally:
    """What a verb would do to some tasks of a project.

    Args:
        verb: One that acts on tasks.
        project: Whose tasks.
        task_ids: The tasks, ``LIMIT`` at most; those beyond are not looked at.
        force: Whether a retry is forced.
    """
    wanted = list(task_ids[:LIMIT])
    records = primary(TaskRecord).filter(project=project, task_id__in=wanted)
    rows = {row[1]: Row(*row) for row in records.values_list(*COLUMNS)}
    found = Tally(len(wanted), {one: _UNKNOWN for one in wanted if one not in rows})
    VERBS[verb](found, project, rows, force)
    return found


def rows_of(keys: Sequence[int]) -> list[Row]:
    """What is looked at of some tasks, by the keys of their records, in their order."""
    records = primary(TaskRecord).filter(pk__in=lookups.numbers(keys))
    found = {row[0]: Row(*row) for row in records.values_list(*COLUMNS)}
    return [found[key] for key in keys if key in found]


def of_records(
    verb: str, project: str, records: Sequence[TaskRecord | Row], *, force: bool = False
) -> Tally:
    """The same of tasks whose records are at hand, with these ``COLUMNS``.

    A verb that is not one of ``VERBS`` is looked at one task after the other, or not at all.
    """
    if verb not in VERBS:
        return Tally(0)
    found = Tally(len(records))
    VERBS[verb](found, project, {one.task_id: one for one in records}, force)
    return found


def _retry(found: Tally, project: str, rows: _Rows, force: bool) -> None:
    histories = {task_id: history for task_id, *history in _histories(project, rows)}
    for task_id, row in rows.items():
        kept, state, begun = histories.get(task_id, (None, None, None))
        if row.state in states.UNFINISHED and not force:
            found.reasons[task_id] = _UNFINISHED
        elif not force and (begun or state is not None):
            found.reasons[task_id] = _RETRIED
            found.recovered += state == states.SUCCESS
        elif not kept:
            found.reasons[task_id] = _NO_MESSAGE
        elif row.chord_id and not force:
            found.reasons[task_id] = _IN_CHORD


def _histories(project: str, rows: _Rows) -> QuerySet[TaskRecord, tuple[str, Any, Any, Any]]:
    """Of each task: the message that is kept, the state of its newest retry, and one that begins.

    Each is looked for by itself, in its index, and a thousand ids need not be sent. As values: of
    what merely exists databases collect all there is.
    """
    this = OuterRef("task_id")
    kept = primary(TaskPayload).filter(project=project, task_id=this).exclude(sealed=b"")
    # PostgreSQL does not see by itself that no id is empty, which the index leaves out.
    runs = primary(TaskRecord).exclude(retry_of="").filter(project=project, retry_of=this)
    newest = runs.exclude(name=results.REPLAY_TASK).order_by("-id").values("state")[:1]
    begun = primary(OperationTarget).filter(
        project=project,
        target=this,
        outcome__in=(_Outcome.ACTING, _Outcome.DONE, _Outcome.UNKNOWN),
        operation__verb=verbs.RETRY.name,
        at__gte=timezone.now() - _A_MOMENT,
    )
    records = primary(TaskRecord).filter(pk__in=lookups.numbers([one.id for one in rows.values()]))
    return records.values_list(
        "task_id",
        Subquery(kept.values("id")[:1]),
        Subquery(newest),
        Subquery(begun.exclude(result_id="").values("id")[:1]),
    )


def _cancel(found: Tally, project: str, rows: _Rows, force: bool) -> None:
    for task_id, row in rows.items():
        if row.state in states.FINISHED:
            found.reasons[task_id] = _OVER
        elif row.state == states.STARTED:
            found.reasons[task_id] = _RUNS


def _terminate(found: Tally, project: str, rows: _Rows, force: bool) -> None:
    busy = {row.worker for row in rows.values() if row.state == states.STARTED}
    workers = primary(WorkerRecord).filter(project=project, hostname__in=busy)
    shared = set(workers.filter(pool__in=revoking.SHARED).values_list("hostname", flat=True))
    for task_id, row in rows.items():
        if row.state in states.FINISHED:
            found.reasons[task_id] = _OVER
        elif row.state == states.STARTED and row.worker in shared:
            found.reasons[task_id] = _POOL


#: The verbs whose refusals are told in few queries, and how.
VERBS: Final[dict[str, Callable[[Tally, str, _Rows, bool], None]]] = {
    verbs.RETRY.name: _retry,
    verbs.CANCEL.name: _cancel,
    verbs.TERMINATE.name: _terminate,
}
