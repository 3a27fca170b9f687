"""Tasks that run much longer than tasks of their name usually do.

How long a task may run at most, no record says; what its worker kills for that, fails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Final

from msgspec import Meta

from z4j_django import histograms, states
from z4j_django.conditions.base import Condition, Finding, Thresholds
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.options import Seconds, option
from z4j_django.queries import status, unfinished, usual
from z4j_django.queries.filter import terms
from z4j_django.values import counted, duration

#: Tasks that run which are looked at: as many as a large site has slots.
_LOOK: Final = 5_000


class TaskRunningLong(Thresholds, frozen=True, kw_only=True):
    """Of the run time of a task, and that of others of its name."""

    times: Annotated[
        Annotated[float, Meta(ge=1, le=10_000)],
        option("So many times what 95 % of the runs of the last seven days do not exceed."),
    ] = 10.0
    least: Annotated[Seconds, option("Seconds that any task may run.")] = 60
    runs: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)],
        option("Runs of its name without which nothing is usual."),
    ] = 20


def find(scene: Scene, thresholds: TaskRunningLong) -> Iterator[Finding]:
    """One finding a task type."""
    running = unfinished.newest(scene.project, states.STARTED, _LOOK).filter(status.VISIBLE)
    since = scene.now - timedelta(seconds=thresholds.least)
    names = running.filter(started_at__lt=since).order_by().values_list("name", flat=True)
    usually = {
        name: seconds
        for name, runs in usual.runtimes(
            scene.project, sorted(names.distinct()[: usual.NAMES]), scene.now
        ).items()
        if sum(runs.values()) >= thresholds.runs
        and (seconds := histograms.percentile(runs, 0.95)) is not None
    }
    if not usually:
        return
    limits = {
        name: max(seconds * thresholds.times, thresholds.least) for name, seconds in usually.items()
    }
    # A condition for each name would take Django as long to write down as all of this.
    least = scene.now - timedelta(seconds=min(limits.values()))
    there = running.filter(status.runs(scene.now), started_at__lte=least).order_by()
    longer: dict[str, list[datetime]] = defaultdict(list)
    for name, began in there.values_list("name", "started_at"):
        if name in limits and began is not None and scene.seconds(began) >= limits[name]:
            longer[name].append(began)
    for name, begins in longer.items():
        yield _finding(scene, name, len(begins), min(begins), usually[name], limits[name])


def _finding(
    scene: Scene, name: str, count: int, began: datetime, usually: float, limit: float
) -> Finding:
    seconds = (scene.now - began).total_seconds()
    runs = f"{counted(count, 'task')} of {short(name)} {'runs' if count == 1 else 'run'}"
    evidence = (
        f"{runs} for more than {duration(limit)}, the longest for {duration(seconds)}; 95 % of "
        f"them end within {duration(usually)}, about."
    )
    numbers = {"tasks": count, "seconds": seconds, "p95": usually, status.LONGER_THAN: limit}
    return Finding(name, began + timedelta(seconds=limit), evidence, numbers)


CONDITION: Final = Condition(
    key=status.RUNNING_LONG,
    title="Task running long",
    about="A task runs much longer than tasks of its name usually do.",
    severity="warning",
    subject="task type",
    remedy="See what it waits for; terminate it where it hangs. A time limit ends such tasks "
    "by itself.",
    find=find,
    thresholds=TaskRunningLong,
    filter=lambda finding: f"is:long {terms.exactly('name', finding.subject)}",
)
