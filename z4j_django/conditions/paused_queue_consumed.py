"""A queue that is paused, and from which somebody takes tasks all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.models import PausedConsumer, PausedQueue
from z4j_django.models.primary import primary
from z4j_django.options import option
from z4j_django.values import counted, duration

#: Workers that are named.
_NAMED: Final = 3


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    after: Annotated[
        float, Meta(ge=30, le=86_400), option("Seconds since the queue was paused.")
    ] = 60.0


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """The paused queues of which workers or the broker tell that they are consumed, or nobody."""
    for pause in scene.paused.values():
        seconds = scene.seconds(pause.since)
        if seconds < limits.after:
            continue
        if evidence := _evidence(scene, pause, limits.after):
            words = f"The queue {short(pause.queue)} is paused by {short(pause.paused_by)}"
            yield Finding(pause.queue, pause.since, f"{words}. {evidence}", {"seconds": seconds})


def _evidence(scene: Scene, pause: PausedQueue, after: float) -> str:
    """Why it seems to be consumed, or may be; nothing where it is not."""
    takers = primary(PausedConsumer).filter(pause=pause, consumes=True).order_by("hostname")
    if names := list(takers.values_list("hostname", flat=True)[: _NAMED + 1]):
        named = ", ".join(map(short, names[:_NAMED])) + (" …" if names[_NAMED:] else "")
        return f"Told to take nothing from it, and not answering: {named}."
    sample = scene.samples.get(pause.queue)
    if (
        sample is not None
        and sample.consumers
        and (sample.at - pause.since).total_seconds() > after
    ):
        consumers = counted(sample.consumers, "consumer", "consumers")
        return f"The broker knows of {consumers} of it."
    if pause.looked_at is None or scene.seconds(pause.looked_at) > 2 * after:
        ago = "" if pause.looked_at is None else f" for {duration(scene.seconds(pause.looked_at))}"
        return f"No worker was asked{ago} what it takes from: whether one does is not known."
    return ""


CONDITION = Condition(
    key="paused_queue_consumed",
    title="Paused queue is consumed",
    about="A queue has been paused for a minute, and a worker takes tasks from it all the same, or "
    "nobody can tell.",
    severity="warning",
    subject="queue",
    remedy="Restart the workers that are named: one that reads the records leaves a paused queue "
    "out. A consumer that is none of Celery's takes no notice of a pause.",
    find=find,
    thresholds=Limits,
    filter=of_subject("queue", "state:RECEIVED,STARTED"),
)
