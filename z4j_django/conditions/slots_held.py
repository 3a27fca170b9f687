"""A worker whose slots are all held by tasks that run long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Final

from msgspec import Meta

from z4j_django import states
from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.models import TaskRecord, WorkerRecord
from z4j_django.options import option
from z4j_django.queries import queue_table
from z4j_django.values import counted, duration

#: Workers whose tasks are looked at, and tasks of them.
_WORKERS: Final = 50
_TASKS: Final = 2_000
#: Newest tasks of a name that tell how long it uses to run.
_PAST: Final = 100
#: Names whose past is looked at.
_NAMES: Final = 20


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    after: Annotated[
        float, Meta(ge=10, le=604_800), option("Seconds below which no task runs long.")
    ] = 300.0
    times: Annotated[
        float,
        Meta(ge=1, le=1000),
        option("How many times as long as the longest of the newest hundred of its name."),
    ] = 2.0


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """The online workers with no slot left for anything that ends soon."""
    full = {
        worker.hostname: worker
        for worker in scene.online_workers
        if worker.concurrency
        and (hand := scene.hands.get(worker.hostname))
        and hand.started >= worker.concurrency
    }
    names = list(full)[:_WORKERS]
    if not names:
        return
    usual = cache(lambda name: _usual(scene, name))
    held: dict[str, list[Any]] = {}
    for task in _running(scene, names, limits.after):
        if usual.cache_info().currsize < _NAMES and (
            scene.seconds(task.started_at) >= limits.times * usual(task.name)
        ):
            held.setdefault(task.worker, []).append(task)
    for name, tasks in held.items():
        if len(tasks) >= (full[name].concurrency or 0):
            yield _finding(scene, full[name], tasks)


def _finding(scene: Scene, worker: WorkerRecord, tasks: Sequence[Any]) -> Finding:
    since = max(task.started_at for task in tasks)
    longest = scene.seconds(min(task.started_at for task in tasks))
    names = Counter(task.name for task in tasks).most_common(3)
    told = ", ".join(f"{count} of {name}" for name, count in names)
    waiting = sum(
        sample.depth or 0
        for one in queue_table.queues_of(worker)
        if (sample := scene.samples.get(one))
    )
    slots = f"All {worker.concurrency} slots of {worker.hostname} are"
    if worker.concurrency == 1:
        slots = f"The only slot of {worker.hostname} is"
    evidence = (
        f"{slots} held by tasks that run for longer than they use to, the longest for "
        f"{duration(longest)}: {told}."
    )
    if waiting:
        evidence += f" {counted(waiting, 'message waits', 'messages wait')} in its queues."
    numbers = {"slots": worker.concurrency or 0, "longest": longest, "waiting": waiting}
    return Finding(worker.hostname, since, evidence, numbers, "critical" if waiting else None)


def _running(scene: Scene, workers: Sequence[str], seconds: float) -> Iterable[Any]:
    begun = TaskRecord.objects.filter(
        project=scene.project,
        state=states.STARTED,
        worker__in=workers,
        started_at__lte=scene.now - timedelta(seconds=seconds),
    )
    return begun.values_list("worker", "name", "started_at", named=True)[:_TASKS]


def _usual(scene: Scene, name: str) -> float:
    """How long the longest of the newest tasks of a name ran; 0 where none has ended."""
    mine = TaskRecord.objects.filter(project=scene.project, name=name)
    runtimes = mine.order_by("-id").values_list("runtime", flat=True)[:_PAST]
    return max((one for one in runtimes if one is not None), default=0.0)


CONDITION = Condition(
    key="slots_held",
    title="All slots held",
    about="All slots of a worker are held by tasks that run for five minutes, and for twice as "
    "long as any of their name did lately. Critical where messages wait.",
    severity="warning",
    subject="worker",
    remedy="See what they wait for; terminate those that never end, give them a time limit, or "
    "give long tasks a queue and workers of their own.",
    find=find,
    thresholds=Limits,
    filter=of_subject("worker", "state:STARTED"),
)
