"""How many of some tasks a verb would be done to, and how many refused, by reason.

It is told for many at once, in few queries, and as far as the records tell: what only the message
itself says, an operation finds when it is about to publish it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from django.utils import timezone

from z4j_django import states, verbs
from z4j_django.control import results
from z4j_django.models import OperationTarget, TaskPayload, TaskRecord, WorkerRecord
from z4j_django.models.primary import primary
from z4j_django.operations import revoking
from z4j_django.values import counted

#: Tasks that are looked at, at most.
LIMIT: Final = 1_000
#: Time in which what an operation has published may not be on record yet.
_A_MOMENT: Final = timedelta(minutes=5)
#: Columns of a record that are looked at.
COLUMNS: Final = ("task_id", "state", "worker", "chord_id")
_Outcome = OperationTarget.Outcome

_UNKNOWN: Final = "not on record"
_UNFINISHED: Final = "not ended yet"
_RETRIED: Final = "retried already"
_IN_CHORD: Final = "of a chord, which is to be retried as a whole"
_NO_MESSAGE: Final = "without its message, which was not kept"
_OVER: Final = "over already"
_RUNS: Final = "running already"
_POOL: Final = "on a worker whose pool can't end a single task"


@dataclass
class Tally:
    """What would come of some tasks.

    Attributes:
        looked_at: How many there are.
        refused: How many would be refused, by the reason.
        recovered: How many of those that were retried before have succeeded since.
        reasons: Of those on record that would be refused, the reason.
    """

    looked_at: int
    refused: Counter[str] = field(default_factory=Counter)
    recovered: int = 0
    reasons: dict[str, str] = field(default_factory=dict, compare=False)

    def refuse(self, task_id: str, reason: str) -> None:
        """Note that one would be refused."""
        self.refused[reason] += 1
        self.reasons[task_id] = reason

    @property
    def willing(self) -> int:
        """To how many it would be done."""
        return self.looked_at - self.refused.total()

    @property
    def words(self) -> list[str]:
        """Those that would be refused, in words, the most first."""
        return [f"{count:,} {reason}" for reason, count in self.refused.most_common()]

    @property
    def told(self) -> str:
        """All of it as a sentence."""
        found = f"{counted(self.looked_at, 'task')}: {self.willing:,} will be acted on"
        return f"{found}, {self.refused.total():,} refused." if self.refused else f"{found}."


def of(verb: str, project: str, task_ids: Sequence[str], *, force: bool = False) -> Tally:
    """What a verb would do to some tasks of a project.

    Args:
        verb: One that acts on tasks.
        project: Whose tasks.
        task_ids: The tasks, ``LIMIT`` at most; those beyond are not looked at.
        force: Whether a retry is forced.
    """
    wanted = list(task_ids[:LIMIT])
    records = primary(TaskRecord).filter(project=project, task_id__in=wanted).only(*COLUMNS)
    found = of_records(verb, project, list(records), force=force)
    missing = len(wanted) - found.looked_at
    return replace(
        found, looked_at=len(wanted), refused=found.refused + Counter({_UNKNOWN: missing})
    )


def of_records(
    verb: str, project: str, records: Sequence[TaskRecord], *, force: bool = False
) -> Tally:
    """The same of tasks whose records are at hand, with these ``COLUMNS``."""
    found = Tally(len(records))
    _LOOK[verb](found, project, {one.task_id: one for one in records}, force)
    return found


def _retry(found: Tally, project: str, rows: dict[str, TaskRecord], force: bool) -> None:
    retried: dict[str, str] = {} if force else _retried(project, rows)
    kept = _kept(project, rows)
    for task_id, row in rows.items():
        if row.state in states.UNFINISHED and not force:
            found.refuse(task_id, _UNFINISHED)
        elif task_id in retried:
            found.refuse(task_id, _RETRIED)
            found.recovered += retried[task_id] == states.SUCCESS
        elif task_id not in kept:
            found.refuse(task_id, _NO_MESSAGE)
        elif row.chord_id and not force:
            found.refuse(task_id, _IN_CHORD)


def _retried(project: str, rows: dict[str, TaskRecord]) -> dict[str, str]:
    """Of what was retried, the state of the newest retry; none where it is not on record yet."""
    targets = OperationTarget.objects.filter(
        project=project,
        target__in=list(rows),
        outcome__in=(_Outcome.ACTING, _Outcome.DONE, _Outcome.UNKNOWN),
        operation__verb=verbs.RETRY.name,
        at__gte=timezone.now() - _A_MOMENT,
    ).exclude(result_id="")
    found = dict.fromkeys(targets.values_list("target", flat=True), "")
    runs = primary(TaskRecord).filter(project=project, retry_of__in=list(rows))
    # Of so many values PostgreSQL does not see that none is empty, as none in the index is; and
    # asked for in order it would go through the whole table in it.
    runs = runs.exclude(retry_of="").exclude(name=results.REPLAY_TASK)
    newest = sorted(runs.values_list("id", "retry_of", "state"))
    found.update((retry_of, state) for _, retry_of, state in newest)
    return found


def _kept(project: str, rows: dict[str, TaskRecord]) -> set[str]:
    messages = primary(TaskPayload).filter(project=project, task_id__in=list(rows))
    return set(messages.exclude(sealed=b"").values_list("task_id", flat=True))


def _cancel(found: Tally, project: str, rows: dict[str, TaskRecord], force: bool) -> None:
    for row in rows.values():
        if row.state in states.FINISHED:
            found.refuse(row.task_id, _OVER)
        elif row.state == states.STARTED:
            found.refuse(row.task_id, _RUNS)


def _terminate(found: Tally, project: str, rows: dict[str, TaskRecord], force: bool) -> None:
    busy = {row.worker for row in rows.values() if row.state == states.STARTED}
    workers = primary(WorkerRecord).filter(project=project, hostname__in=busy)
    shared = set(workers.filter(pool__in=revoking.SHARED).values_list("hostname", flat=True))
    for row in rows.values():
        if row.state in states.FINISHED:
            found.refuse(row.task_id, _OVER)
        elif row.state == states.STARTED and row.worker in shared:
            found.refuse(row.task_id, _POOL)


_LOOK: Final[dict[str, Callable[[Tally, str, dict[str, TaskRecord], bool], None]]] = {
    verbs.RETRY.name: _retry,
    verbs.CANCEL.name: _cancel,
    verbs.TERMINATE.name: _terminate,
}
