"""Statistics: series over time, and one row a task name, counted and not read off the records.

They are a few seconds behind. Percentiles are read off histograms, and so are approximate, by √2
at the most. All that is read is bounded by the range and by the number of names and queues that
have statistics of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from django.db.models import QuerySet, Sum

from z4j_django import histograms
from z4j_django.counters import ALL, COUNTERS, DAY, NAMES, QUEUES
from z4j_django.histograms import Histogram
from z4j_django.models import Statistic
from z4j_django.queries.time_ranges import Range
from z4j_django.values import INTERNAL, OTHER

#: Times that are asked for one by one.
_TIMES: Final = 100
#: Names that are asked for by name: of more, all are read.
_NAMES_AT_ONCE: Final = 100
#: Queues of one name.
QUEUES_LIMIT: Final = 200

_PERCENTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_SUMS: Final = {f"sum_{name}": Sum(name) for name in COUNTERS}
Ordering = Literal["name", "started", "failed", "failure_share", "retried"]


@dataclass
class Counted:
    """What happened, and how long it took.

    Attributes:
        counters: By the names of ``counters.COUNTERS``.
        seconds: How long it was counted.
        runs: Run times; empty where they were not asked for.
        waits: From when the messages were sent, or due, to the start.
    """

    counters: dict[str, int]
    seconds: int
    runs: Histogram = field(default_factory=dict)
    waits: Histogram = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Runs that began in a second."""
        return self.counters["started"] / self.seconds

    @property
    def finished(self) -> int:
        """Runs that came to an end, well or badly."""
        return sum(self.counters[name] for name in ("succeeded", "failed", "ignored", "sampled"))

    @property
    def failure_share(self) -> float | None:
        """How many of the runs that ended well or badly failed; ``None`` where none did end."""
        ended = sum(self.counters[name] for name in ("succeeded", "failed", "ignored"))
        return self.counters["failed"] / ended if ended else None

    @property
    def runtime(self) -> dict[str, float | None]:
        """The percentiles of the run time, in seconds, about."""
        return _percentiles(self.runs)

    @property
    def wait(self) -> dict[str, float | None]:
        """Those of the wait."""
        return _percentiles(self.waits)


@dataclass
class Point(Counted):
    """A point of a series: ``at``, in seconds since the epoch, is its begin."""

    at: int = 0


@dataclass
class TaskType(Counted):
    """All tasks of one name; ``earlier`` is what it is compared with, where it is."""

    name: str = ""
    earlier: Counted | None = None


@dataclass
class OfQueue(Counted):
    """All of one name from one queue."""

    queue: str = ""


def series(project: str, within: Range, name: str = "", queue: str = "") -> list[Point]:
    """A point for each step of a range: of a name, of a queue, of both, or of all."""
    rows = _rows(project, within, NAMES if name else QUEUES if queue else ALL)
    if name:
        rows = rows.filter(name=name)
    if queue:
        rows = rows.filter(queue=queue)
    points = {
        at: Point(dict.fromkeys(COUNTERS, 0), within.step, at=at)
        for at in range(within.since, within.until, within.step)
    }
    for at, *row in rows.values_list("at", *COUNTERS, "runs", "waits"):
        add(points[at - (at - within.since) % within.step], row)
    return list(points.values())


def task_types(project: str, within: Range, order: Ordering = "started") -> list[TaskType]:
    """All names that did anything in a range, without percentiles, in an order.

    Numbers come the greatest first, and names of one number in the alphabet's order.
    """
    rows = _rows(project, within, NAMES).filter(name__gt="")
    found = [
        TaskType(counters, within.seconds, name=name)
        for name, counters in _sums(rows, "name").items()
        if name == OTHER or not name.startswith(INTERNAL)
    ]
    return sorted(found, key=lambda one: place(one, order))


def place(one: TaskType, order: Ordering) -> tuple[float, str]:
    """Where a name stands in an order."""
    if order == "name":
        return 0.0, one.name
    value = one.failure_share if order == "failure_share" else one.counters[order]
    return -(value or 0.0), one.name


def fill(project: str, within: Range, found: Sequence[TaskType], before: str = "") -> None:
    """Read what only a page of names needs: histograms, and what they are compared with.

    Args:
        project: Whose.
        within: The range that they were counted in.
        found: The names of the page.
        before: One of :data:`time_ranges.BEFORE`, to compare.
    """
    by_name = {one.name: one for one in found}
    rows = _of_names(project, within, by_name)
    for name, *histogram in rows.values_list("name", "runs", "waits"):
        if name in by_name:
            _add_histograms(by_name[name], histogram)
    compare(project, within, found, before)


def fill_runs(project: str, within: Range, found: Sequence[TaskType]) -> None:
    """Read how long the runs of some names took, and nothing else of them."""
    by_name = {one.name: one for one in found}
    rows = _of_names(project, within, by_name).exclude(runs=b"")
    for name, runs in rows.values_list("name", "runs"):
        if name in by_name:
            histograms.add(by_name[name].runs, histograms.unpacked(bytes(runs)))


def compare(project: str, within: Range, found: Sequence[TaskType], before: str) -> None:
    """Read what some names are compared with, if with anything; as :func:`fill` takes it."""
    if not before:
        return
    earlier = within.before(before)
    sums = _sums(_of_names(project, earlier, [one.name for one in found]), "name")
    for one in found:
        counters = sums.get(one.name, dict.fromkeys(COUNTERS, 0))
        one.earlier = Counted(counters, earlier.seconds)


def _of_names(project: str, within: Range, names: Collection[str]) -> QuerySet[Statistic]:
    """The rows of some names; where they are many, of all."""
    rows = _rows(project, within, NAMES)
    return rows.filter(name__in=list(names)) if len(names) <= _NAMES_AT_ONCE else rows


def task_type(project: str, within: Range, name: str, before: str = "") -> TaskType:
    """One name; with no counts where nothing happened to it."""
    name = name.rstrip(" ")  # as it is counted
    found = TaskType(dict.fromkeys(COUNTERS, 0), within.seconds, name=name)
    sums = _sums(_rows(project, within, NAMES).filter(name=name), "name")
    found.counters.update(sums.get(name, {}))
    fill(project, within, [found], before)
    return found


def of_queues(project: str, within: Range, name: str) -> list[OfQueue]:
    """One name by queue, the busiest queues first."""
    return _of_queues(project, within, name)[:QUEUES_LIMIT]


def by_queue(
    project: str, within: Range, name: str, before: str = ""
) -> tuple[TaskType, list[OfQueue]]:
    """What :func:`task_type` and :func:`of_queues` tell of one name, in two queries at most."""
    queues = _of_queues(project, within, name)
    whole = together(queues)
    found = TaskType(whole.counters, within.seconds, whole.runs, whole.waits, name=name)
    compare(project, within, [found], before)
    return found, queues[:QUEUES_LIMIT]


def _of_queues(project: str, within: Range, name: str) -> list[OfQueue]:
    rows = _rows(project, within, NAMES).filter(name=name)
    found: dict[str, OfQueue] = {}
    for queue, *row in rows.values_list("queue", *COUNTERS, "runs", "waits"):
        if queue not in found:
            found[queue] = OfQueue(dict.fromkeys(COUNTERS, 0), within.seconds, queue=queue)
        add(found[queue], row)
    return sorted(found.values(), key=lambda one: (-one.counters["started"], one.queue))


def together(points: Sequence[Counted]) -> Counted:
    """What happened in several points."""
    found = Counted(dict.fromkeys(COUNTERS, 0), sum(one.seconds for one in points))
    for one in points:
        for name, count in one.counters.items():
            found.counters[name] += count
        histograms.add(found.runs, one.runs)
        histograms.add(found.waits, one.waits)
    return found


def is_known(project: str, name: str) -> bool:
    """Whether a task of this name was ever counted."""
    return _of(project, DAY, NAMES).filter(name=name).exists()


def _of(project: str, step: int, scope: str) -> QuerySet[Statistic]:
    return Statistic.objects.filter(project=project, step=step, scope=scope)


def _rows(project: str, within: Range, scope: str) -> QuerySet[Statistic]:
    rows = _of(project, within.counted, scope)
    times = range(within.since, within.until, within.counted)
    if len(times) <= _TIMES:
        # Of a range PostgreSQL expects as many rows of each step as of all steps together.
        return rows.filter(at__in=list(times))
    return rows.filter(at__gte=within.since, at__lt=within.until)


def _sums(rows: QuerySet[Statistic], column: str) -> dict[str, dict[str, int]]:
    """The counters by the values of a column."""
    found = rows.order_by().values_list(column).annotate(**_SUMS)
    return {value: dict(zip(COUNTERS, map(int, sums), strict=True)) for value, *sums in found}


def add(one: Counted, row: Sequence[Any]) -> None:
    """Add a row of the statistics: the counters, and the histograms where they were read."""
    for name, count in zip(COUNTERS, row, strict=False):
        one.counters[name] += count
    _add_histograms(one, row[len(COUNTERS) :])


def _add_histograms(one: Counted, columns: Iterable[Any]) -> None:
    for histogram, column in zip((one.runs, one.waits), columns, strict=True):
        histograms.add(histogram, histograms.unpacked(bytes(column)))


def _percentiles(histogram: Mapping[int, int]) -> dict[str, float | None]:
    found = dict(histogram)
    return {name: histograms.percentile(found, share) for name, share in _PERCENTILES.items()}
