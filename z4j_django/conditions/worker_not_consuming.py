"""A worker that is alive and takes nothing, though it could."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final

from django.db.models import Max
from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Hand, Scene
from z4j_django.models import TaskRecord, WorkerRecord
from z4j_django.options import option
from z4j_django.queries import queue_table
from z4j_django.queries.index_ranges import newest_of_each
from z4j_django.values import duration

#: Workers whose newest tasks are looked at.
_WORKERS: Final = 50
#: Newest tasks of one worker among which the last that it took is looked for.
_TASKS: Final = 10


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    after: Annotated[float, Meta(ge=30, le=86_400), option("Seconds in which it took nothing.")] = (
        60.0
    )


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """The online workers with a free slot that leave messages waiting."""
    candidates = list(_candidates(scene, limits.after))
    taken = _last_taken(scene, [worker.hostname for worker, _ in candidates])
    for worker, waiting in candidates:
        last = taken.get(worker.hostname) or worker.started_at
        if last is None or scene.seconds(last) < limits.after:
            continue
        since = max(last, min(waiting.values()))
        told = ", ".join(f"{scene.samples[name].depth:,} in {name}" for name in sorted(waiting)[:3])
        free = (worker.concurrency or 0) - scene.hands.get(worker.hostname, Hand()).started
        evidence = (
            f"{worker.hostname} is online, has {free} of {worker.concurrency} slots free, and has "
            f"taken nothing for {duration(scene.seconds(last))}, while messages wait: {told}."
        )
        numbers = {"seconds": scene.seconds(last), "free": free}
        yield Finding(worker.hostname, since, evidence, numbers)


def _candidates(scene: Scene, seconds: float) -> Iterator[tuple[WorkerRecord, dict[str, datetime]]]:
    """Those that could take something, and since when it waits in which of their queues."""
    left = _WORKERS
    for worker in scene.online_workers:
        hand = scene.hands.get(worker.hostname, Hand())
        is_new = worker.started_at is None or scene.seconds(worker.started_at) < seconds
        takes = hand.newest is not None and scene.seconds(hand.newest) < seconds
        if is_new or takes or hand.started >= (worker.concurrency or 0):
            continue
        names = (name for name in queue_table.queues_of(worker) if name not in scene.paused)
        queues = {name: scene.waits(name, seconds) for name in names}
        waiting = {name: since for name, since in queues.items() if since is not None}
        if waiting and left:
            left -= 1
            yield worker, waiting


def _last_taken(scene: Scene, names: Sequence[str]) -> Mapping[str, datetime | None]:
    """When each of some workers took a task last."""
    mine = TaskRecord.objects.filter(project=scene.project).exclude(
        worker=""  # the index has no others
    )
    ids = newest_of_each(mine, "worker", names, _TASKS)
    newest = TaskRecord.objects.filter(pk__in=ids).order_by()
    return dict(newest.values_list("worker").annotate(Max("received_at")))


CONDITION = Condition(
    key="worker_not_consuming",
    title="Worker takes nothing",
    about="A worker is online and has a free slot, messages wait in a queue of its, and it has "
    "taken none for a minute.",
    severity="critical",
    subject="worker",
    remedy="Restart it: its consumer has lost the broker. Where its tasks have a rate limit, or "
    "its consumer was told to stop, that is why.",
    find=find,
    thresholds=Limits,
    filter=of_subject("worker"),
)
