"""Tasks that a worker had when it stopped or was started anew, and of which nothing came since."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from django.db.models import Count, Exists, Max, OuterRef

from z4j_django import states
from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.models import TaskRecord, WorkerRecord
from z4j_django.options import Seconds, option
from z4j_django.queries import status, unfinished
from z4j_django.values import counted, duration

#: Whether an operator retried a task: it is seen to then.
_RETRIED: Final = Exists(
    TaskRecord.objects.filter(project=OuterRef("project"), retry_of=OuterRef("task_id")).exclude(
        retry_of=""  # the index has no others
    )
)


class PossiblyLost(Thresholds, frozen=True, kw_only=True):
    """Of the worker that left them."""

    after: Annotated[
        Seconds,
        option("Seconds that the broker has to deliver its tasks to another worker."),
    ] = 60
    within: Annotated[
        Seconds, option("Seconds for which they are told of; the list has them for ever.")
    ] = 86_400


def find(scene: Scene, thresholds: PossiblyLost) -> Iterator[Finding]:
    """One finding a worker."""
    earliest = scene.now - timedelta(seconds=thresholds.within)
    latest = scene.now - timedelta(seconds=thresholds.after)
    left = {
        one.hostname: one
        for one in scene.workers
        if (moment := _left_at(one)) is not None and earliest <= moment <= latest
    }
    if not left:
        return
    found: dict[str, tuple[int, int]] = {}
    for state in (states.RECEIVED, states.STARTED):
        for worker, count, newest in _lost(scene, state, list(left)):
            before = found.get(worker, (0, 0))
            found[worker] = before[0] + count, max(before[1], newest)
    examples = TaskRecord.objects.only("name", "task_id").in_bulk(
        [newest for _, newest in found.values()]
    )
    for hostname, (count, newest) in found.items():
        yield _finding(scene, left[hostname], count, examples.get(newest))


def _left_at(worker: WorkerRecord) -> datetime | None:
    """When a worker was there last that may have left something."""
    return worker.started_at if worker.online else worker.stopped_at


def _lost(scene: Scene, state: str, hostnames: list[str]) -> Any:
    rows = unfinished.newest(scene.project, state).filter(
        status.STATUSES["lost"].holds(scene.now) & ~_RETRIED, status.VISIBLE, worker__in=hostnames
    )
    return rows.order_by().values_list("worker").annotate(Count("id"), Max("id"))


def _finding(scene: Scene, worker: WorkerRecord, count: int, example: TaskRecord | None) -> Finding:
    moment = _left_at(worker) or scene.now
    seconds = scene.seconds(moment)
    evidence = (
        f"{short(worker.hostname)} {'was started anew' if worker.online else 'stopped'} "
        f"{duration(seconds)} ago and left {counted(count, 'task')} that it had taken: no end is "
        "on record, and no other worker has taken them since."
    )
    if example is not None:
        evidence += f" The newest is {short(example.name)} {short(example.task_id)}."
    numbers = {"tasks": count, "seconds": seconds}
    return Finding(worker.hostname, moment, evidence, numbers)


CONDITION: Final = Condition(
    key="possibly_lost",
    title="Tasks possibly lost",
    about="A worker stopped or was started anew while it had tasks, and nothing came of them.",
    severity="critical",
    subject="worker",
    remedy="Retry them with force, if they may run twice. With acks_late and "
    "reject_on_worker_lost the broker delivers a task again whose worker was lost.",
    find=find,
    thresholds=PossiblyLost,
    filter=of_subject("worker", "is:lost"),
)
