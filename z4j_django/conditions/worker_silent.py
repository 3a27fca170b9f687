"""A worker that says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from z4j_django.conditions import worker_gone
from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.options import option
from z4j_django.queries import liveness


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    after: Annotated[float, Meta(ge=30, le=86_400), option("Seconds without a word.")] = (
        liveness.SILENT_AFTER.total_seconds()
    )
    until: Annotated[
        float, Meta(ge=30, le=604_800), option("Seconds after which it counts as gone instead.")
    ] = worker_gone.AFTER


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """The workers that said no goodbye and are not heard of."""
    for worker, silence in worker_gone.silences(scene, limits.after, limits.until):
        yield worker_gone.finding(scene, worker, silence, "says nothing")


CONDITION = Condition(
    key="worker_silent",
    title="Worker silent",
    about="A worker has said nothing for two minutes, and no goodbye.",
    severity="warning",
    subject="worker",
    remedy="See whether its process still runs, and whether its host is short of memory or time. "
    "A solo pool says nothing while it runs a task.",
    find=find,
    thresholds=Limits,
    filter=of_subject("worker", "state:STARTED,RECEIVED"),
)
