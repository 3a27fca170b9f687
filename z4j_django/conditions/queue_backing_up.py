"""A queue that is deeper, or slower, than it uses to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from msgspec import Meta

from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.options import option
from z4j_django.values import duration

#: How far back a queue's own past goes, and how far back all samples are looked at.
_PAST: Final = timedelta(days=1)
_LATELY: Final = timedelta(hours=1)
#: The minutes of an hour whose samples stand for what was before.
_MINUTES: Final = range(0, 60, 10)
#: Queues whose past is looked at, those with the most to tell first.
_QUEUES: Final = 30
#: The share of its past that a queue has to exceed.
_QUANTILE: Final = 0.95


class Limits(Thresholds, frozen=True, kw_only=True):
    """From where on it is wrong."""

    depth: Annotated[
        int, Meta(ge=1, le=10**9), option("Messages below which no queue is too deep.")
    ] = 100
    wait: Annotated[
        float, Meta(ge=1, le=604_800), option("Seconds below which no message waits too long.")
    ] = 300.0
    times: Annotated[
        float, Meta(ge=1, le=1000), option("How many times its own past day: 95 % of its samples.")
    ] = 3.0
    minutes: Annotated[int, Meta(ge=1, le=60), option("Samples in a row, one a minute.")] = 5


def find(scene: Scene, limits: Limits) -> Iterator[Finding]:
    """The queues that are above their floors and far above their own past."""
    high = [
        one
        for one in scene.samples.values()
        if one.queue not in scene.paused
        and ((one.depth or 0) >= limits.depth or _wait(one) >= limits.wait)
    ]
    high.sort(key=lambda one: (one.depth or 0, _wait(one)), reverse=True)
    names = [one.queue for one in high[:_QUEUES]]
    if not names:
        return
    samples = _samples(scene, names, limits)
    for name, of_queue in samples.items():
        found = _too_much(of_queue, _depth, limits.depth, limits)
        if found is not None:
            since, usual = found
            depth = _depth(of_queue[-1])
            evidence = f"{depth:,} messages wait in the queue {name}; usually {usual:,.0f} at most."
            yield Finding(name, since, evidence, {"depth": depth, "usual": usual})
            continue
        found = _too_much(of_queue, _wait, limits.wait, limits)
        if found is not None:
            since, usual = found
            wait = _wait(of_queue[-1])
            evidence = (
                f"The oldest message in the queue {name} has waited for {duration(wait)}; usually "
                f"it is {duration(usual)} at most."
            )
            yield Finding(name, since, evidence, {"wait": wait, "usual": usual})


def _samples(scene: Scene, names: Sequence[str], limits: Limits) -> dict[str, list[Any]]:
    """Of each queue that is high for long enough, all of the last hour, and some of its past."""
    lately = scene.now - _LATELY
    recent = {
        name: samples
        for name, samples in scene.history(names, lately, scene.now).items()
        if _tail([(one.at, _depth(one)) for one in samples], limits.depth) >= limits.minutes
        or _tail([(one.at, _wait(one)) for one in samples], limits.wait) >= limits.minutes
    }
    past = scene.history(recent, scene.now - _PAST, lately, _MINUTES) if recent else {}
    return {name: [*past.get(name, ()), *samples] for name, samples in recent.items()}


def _depth(sample: Any) -> int:
    return sample.depth or 0


def _wait(sample: Any) -> float:
    """How long the oldest message had waited."""
    return (sample.at - sample.oldest_at).total_seconds() if sample.oldest_at else 0.0


def _too_much(
    samples: Sequence[Any], value: Callable[[Any], float], floor: float, limits: Limits
) -> tuple[datetime, float] | None:
    """Since when a queue is above its bound, and what is usual; ``None`` where it is not.

    Its past is what was before it came above its floor, and half of the day at least: what lasts
    for longer is usual.
    """
    values = [(one.at, value(one)) for one in samples]
    half = values[0][0] + (values[-1][0] - values[0][0]) / 2
    before = sum(at <= half for at, _ in values)
    present = min(_tail(values, floor), len(values) - before)
    past = values[: len(values) - present]
    # Each ten minutes count once: of the last hour there are more samples.
    weighed = sorted(one for at, one in past if at.minute in _MINUTES) or sorted(
        dict(past).values()
    )
    usual = weighed[int(_QUANTILE * (len(weighed) - 1))] if weighed else 0.0
    present = min(present, _tail(values, usual * limits.times))
    if present < limits.minutes:
        return None
    return values[len(values) - present][0], usual


def _tail(values: Sequence[tuple[datetime, float]], bound: float) -> int:
    """How many of the newest are all at the bound or above."""
    for count, (_, value) in enumerate(reversed(values)):
        if value < bound:
            return count
    return len(values)


CONDITION = Condition(
    key="queue_backing_up",
    title="Queue backing up",
    about="For five minutes a queue has held far more messages than it uses to, or the oldest has "
    "waited far longer.",
    severity="warning",
    subject="queue",
    remedy="See which tasks came, and start more workers for it; `slots_held` and "
    "`worker_not_consuming` say so where those that are there do nothing.",
    find=find,
    thresholds=Limits,
    filter=of_subject("queue", "state:PENDING"),
)
