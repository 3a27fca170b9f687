"""A worker that went without a goodbye."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Hand, Scene
from z4j_django.models import WorkerRecord
from z4j_django.options import option
from z4j_django.queries import liveness
from z4j_django.values import counted, duration

#: Seconds of silence after which a worker counts as gone.
AFTER: Final = liveness.GONE_AFTER.total_seconds()


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    after: Annotated[float, Meta(ge=30, le=604_800), option("Seconds without a word.")] = AFTER
    until: Annotated[
        float, Meta(ge=30, le=31_536_000), option("Seconds after which it is forgotten.")
    ] = 86_400.0


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """The workers that said no goodbye and were not heard of for long."""
    for worker, silence in silences(scene, limits.after, limits.until):
        yield finding(scene, worker, silence, "went without a goodbye")


def silences(scene: Scene, after: float, until: float) -> Iterator[tuple[WorkerRecord, float]]:
    """The workers whose silence is so long, and its seconds."""
    for worker in scene.workers:
        if worker.online and worker.last_seen is not None:
            silence = scene.seconds(worker.last_seen)
            if after <= silence < until:
                yield worker, silence


def finding(scene: Scene, worker: WorkerRecord, silence: float, what: str) -> Finding:
    """What is told of a silent worker; with tasks in its hands it is worse."""
    hand = scene.hands.get(worker.hostname, Hand())
    has = f"ran {counted(hand.started, 'task', 'tasks')} and had taken {hand.received:,} more"
    evidence = f"{worker.hostname} {what}: it was last heard of {duration(silence)} ago"
    if hand.started or hand.received:
        evidence += f", and {has}"
    return Finding(
        worker.hostname,
        scene.now if worker.last_seen is None else worker.last_seen,
        f"{evidence}.",
        {"seconds": silence, "started": hand.started, "received": hand.received},
        "critical" if hand.started else None,
    )


CONDITION = Condition(
    key="worker_gone",
    title="Worker gone",
    about="A worker has said nothing for ten minutes, and no goodbye: it was killed, or its host "
    "is away. Critical where it ran tasks.",
    severity="warning",
    subject="worker",
    remedy="See why: the log of its host tells of memory that ran out, and of signals. Its tasks "
    "are possibly lost; retry those that may run twice.",
    find=find,
    thresholds=Limits,
    filter=of_subject("worker", "state:STARTED,RECEIVED"),
)
