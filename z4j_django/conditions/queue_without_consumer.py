"""A queue in which messages wait for nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.options import option
from z4j_django.queries import liveness, queue_table
from z4j_django.values import counted, duration


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    after: Annotated[float, Meta(ge=0, le=86_400), option("Seconds that messages have waited.")] = (
        60.0
    )


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """The queues from which no worker takes tasks; without any worker, that is what is told.

    One that was told to take them, after it came up, has some of them in hand.
    """
    for queue, sample in sorted(scene.samples.items()):
        if sample.consumers or queue in scene.consumers or queue in scene.paused:
            continue
        if sample.consumers is None and not scene.online_workers:
            continue
        if (since := scene.waits(queue, limits.after)) is None or queue in scene.taken_from:
            continue
        waiting = counted(sample.depth or 0, "message waits", "messages wait")
        # Of messages that nothing on record tells of, it is since when they are seen.
        least = "" if sample.oldest_at else " at least"
        evidence = (
            f"Nobody takes tasks from the queue {queue}: {waiting}, the oldest for "
            f"{duration(scene.seconds(since))}{least}."
        )
        left = _left(scene, queue)
        if left is not None:
            ago = duration(scene.seconds(left))
            evidence += f" The last worker that did was heard of {ago} ago."
        numbers = {"depth": sample.depth or 0, "seconds": scene.seconds(since)}
        yield Finding(queue, max(since, left) if left else since, evidence, numbers)


def _left(scene: Scene, queue: str) -> datetime | None:
    """When the last worker that consumed it was heard of."""
    found = (
        liveness.last_word(one) for one in scene.workers if queue in queue_table.queues_of(one)
    )
    return max((moment for moment in found if moment is not None), default=None)


CONDITION = Condition(
    key="queue_without_consumer",
    title="Queue without a consumer",
    about="Messages have waited in a queue for a minute, and no online worker takes tasks from it.",
    severity="critical",
    subject="queue",
    remedy="Start a worker with `-Q` and the queue's name, or have one consume it: `celery -A "
    "<the project> control add_consumer <the queue>`. A name that nobody meant is a wrong route.",
    find=find,
    thresholds=Limits,
    filter=of_subject("queue", "state:PENDING"),
)
