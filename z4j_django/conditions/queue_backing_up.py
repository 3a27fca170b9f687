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

#: How far back a queue's own past goes.
_PAST: Final = timedelta(days=1)
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
        if (one.depth or 0) >= limits.depth or _wait(one) >= limits.wait
    ]
    high.sort(key=lambda one: (one.depth or 0, _wait(one)), reverse=True)
    names = [one.queue for one in high[:_QUEUES]]
    if not names:
        return
    past = scene.history(names, scene.now - _PAST)
    for name in names:
        found = _too_much(past[name], lambda one: one.depth, limits.depth, limits)
        if found is not None:
            since, usual = found
            depth = scene.samples[name].depth or 0
            evidence = f"{depth} messages wait in the queue {name}; usually {usual:.0f} at most do."
            yield Finding(name, since, evidence, {"depth": depth, "usual": usual})
            continue
        found = _too_much(past[name], _wait, limits.wait, limits)
        if found is not None:
            since, usual = found
            wait = _wait(scene.samples[name])
            evidence = (
                f"The oldest message in the queue {name} has waited for {duration(wait)}; usually "
                f"it is {duration(usual)} at most."
            )
            yield Finding(name, since, evidence, {"wait": wait, "usual": usual})


def _wait(sample: Any) -> float:
    """How long the oldest message had waited."""
    return (sample.at - sample.oldest_at).total_seconds() if sample.oldest_at else 0.0


def _too_much(
    samples: Sequence[Any], value: Callable[[Any], float | None], floor: float, limits: Limits
) -> tuple[datetime, float] | None:
    """Since when a queue is above its bound, and what is usual; ``None`` where it is not.

    Its past is what was before it came above its floor, and half of the day at least: what lasts
    for longer is usual.
    """
    values = [(one.at, value(one) or 0.0) for one in samples]
    present = min(_tail(values, floor), len(values) // 2)
    past = sorted(one for _, one in values[: len(values) - present])
    usual = past[int(_QUANTILE * (len(past) - 1))] if past else 0.0
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
