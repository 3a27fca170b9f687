"""No beat runs any more, of those that were heard of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Final

from z4j_django.conditions.base import Condition, Finding, Thresholds
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.options import Seconds, option
from z4j_django.queries import liveness
from z4j_django.values import duration


class BeatStopped(Thresholds, frozen=True, kw_only=True):
    """Of the last beat that was there."""

    after: Annotated[Seconds, option("Seconds without a beat: a deployment takes some.")] = 120
    within: Annotated[Seconds, option("Seconds after which nobody waits for it any more.")] = (
        7 * 86_400
    )


def find(scene: Scene, thresholds: BeatStopped) -> Iterator[Finding]:
    """At most one, however many beats were there."""
    words = [(at, one) for one in scene.beats if (at := liveness.last_word(one)) is not None]
    if not words:
        return
    # One that is online and hangs has not said goodbye, and says nothing else either.
    since, last = max(words, key=lambda pair: pair[0])
    age = scene.now - since
    if timedelta(seconds=thresholds.after) <= age <= timedelta(seconds=thresholds.within):
        seconds = age.total_seconds()
        what = "has said nothing" if last.online else "stopped"
        told = f"for {duration(seconds)}" if last.online else f"{duration(seconds)} ago"
        evidence = f"No beat runs: {short(last.hostname)} {what} {told}. No schedule is kept."
        yield Finding("", since, evidence, {"seconds": seconds, "last": last.hostname})


CONDITION: Final = Condition(
    key="beat_stopped",
    title="Beat stopped",
    about="A beat was heard of, and now there is none.",
    severity="critical",
    subject="project",
    remedy="Start it: celery -A <the project> beat. Where it runs, it hangs, or can't reach its "
    "journal: its log says so.",
    find=find,
    thresholds=BeatStopped,
)
