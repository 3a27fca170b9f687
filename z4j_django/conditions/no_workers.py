"""No worker at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds
from z4j_django.conditions.scene import Scene
from z4j_django.options import option
from z4j_django.queries import liveness
from z4j_django.values import duration


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    after: Annotated[
        float, Meta(ge=0, le=86_400), option("Seconds without a worker: a deployment takes some.")
    ] = 60.0


def find(scene: Scene, thresholds: Limits) -> Iterator[Finding]:
    """Whether there is none."""
    if scene.online_workers:
        return
    words = [(at, one.hostname) for one in scene.workers if (at := liveness.last_word(one))]
    if not words:
        yield Finding("", scene.now, "No worker is online: none was ever heard of.")
        return
    since, last = max(words)
    seconds = scene.seconds(since)
    if seconds >= thresholds.after:
        evidence = f"No worker is online: the last, {last}, was heard of {duration(seconds)} ago."
        yield Finding("", since, evidence, {"seconds": seconds, "last": last})


CONDITION = Condition(
    key="no_workers",
    title="No worker",
    about="No worker of the project is online.",
    severity="critical",
    subject="project",
    remedy="Start one: `celery -A <the project> worker`. Where one runs, `manage.py z4j_doctor` "
    "says why it is not on record.",
    find=find,
    thresholds=Limits,
)
