"""Tasks that run much longer than tasks of their name usually do, or past their time limit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from django.db.models import Count, Min, QuerySet
from msgspec import Meta

from z4j_django import histograms, states
from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.models import TaskRecord
from z4j_django.options import Seconds, option
from z4j_django.queries import at_workers, status, unfinished, usual
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


@dataclass(frozen=True)
class _Part:
    """What is to be said of the tasks of one name, for one reason."""

    name: str
    since: datetime
    words: str
    numbers: Mapping[str, float | str]


def find(scene: Scene, thresholds: TaskRunningLong) -> Iterator[Finding]:
    """One finding a task type."""
    running = unfinished.newest(scene.project, states.STARTED, _LOOK).filter(status.VISIBLE)
    parts: dict[str, list[_Part]] = {}
    for part in (*_past_limit(scene, running), *_unusual(scene, thresholds, running)):
        parts.setdefault(part.name, []).append(part)
    for name, found in parts.items():
        numbers = {key: value for part in found for key, value in part.numbers.items()}
        words = " ".join(part.words for part in found)
        yield Finding(name, min(part.since for part in found), words, numbers)


def _unusual(
    scene: Scene, thresholds: TaskRunningLong, running: QuerySet[TaskRecord]
) -> Iterator[_Part]:
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
    there = running.filter(at_workers.runs(scene.now), started_at__lte=least).order_by()
    longer: dict[str, list[datetime]] = defaultdict(list)
    for name, begun in there.values_list("name", "started_at"):
        if name in limits and begun is not None and scene.seconds(begun) >= limits[name]:
            longer[name].append(begun)
    for name, begins in longer.items():
        count, began = len(begins), min(begins)
        limit, seconds = limits[name], scene.seconds(began)
        words = (
            f"{_runs(count, name)} for more than {duration(limit)}, the longest for "
            f"{duration(seconds)}; 95 % of them end within {duration(usually[name])}, about."
        )
        numbers = {"p95": usually[name], status.LONGER_THAN: limit}
        told_of = {"tasks": count, "seconds": seconds, **numbers}
        yield _Part(name, began + timedelta(seconds=limit), words, told_of)


def _past_limit(scene: Scene, running: QuerySet[TaskRecord]) -> Iterator[_Part]:
    past = running.filter(at_workers.past_time_limit(scene.now)).order_by().values_list("name")
    told = past.annotate(Count("id"), Min("started_at"), Min("time_limit"))
    for name, count, began, limit in told[: usual.NAMES]:
        seconds = scene.seconds(began)
        words = (
            f"{_runs(count, name)} past {'its' if count == 1 else 'their'} time limit of "
            f"{duration(limit)}, the longest for {duration(seconds)}: the worker did not end "
            f"{'it' if count == 1 else 'them'}."
        )
        numbers = {"tasks": count, "seconds": seconds, "past_limit": count, "time_limit": limit}
        yield _Part(name, began + timedelta(seconds=limit), words, numbers)


def _runs(count: int, name: str) -> str:
    return f"{counted(count, 'task')} of {short(name)} {'runs' if count == 1 else 'run'}"


CONDITION: Final = Condition(
    key=status.RUNNING_LONG,
    title="Task running long",
    about="A task runs much longer than tasks of its name usually do, or past its time limit.",
    severity="warning",
    subject="task type",
    remedy="See what it waits for; terminate it where it hangs. A time limit ends such tasks "
    "by itself, in a pool of processes; a soft one, where the task does not catch it.",
    find=find,
    thresholds=TaskRunningLong,
    filter=of_subject("name", "is:long"),
)
