"""The metrics of Flower 2, as far as the records tell them.

Nothing is counted by worker here: what Flower tells apart by worker is told under one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from z4j_django.metrics.base import Metric, Row
from z4j_django.metrics.distributions import distribution
from z4j_django.metrics.reading import Reading
from z4j_django.queries import liveness

#: The worker under which all are told together.
_ALL: Final = "all"
#: Flower's types of events, by our counters.
_TYPES: Final = {
    "sent": "task-sent",
    "received": "task-received",
    "started": "task-started",
    "succeeded": "task-succeeded",
    "failed": "task-failed",
    "retried": "task-retried",
    "revoked": "task-revoked",
    "rejected": "task-rejected",
}
_OF_TASK: Final = ("worker", "task")


def _events(reading: Reading) -> Iterator[Row]:
    counts: Counter[tuple[str, str]] = Counter()
    for one in reading.totals:
        for counter, kind in _TYPES.items():
            counts[kind, one.name] += one.counts[counter]
    for (kind, name), count in counts.items():
        if count:
            yield Row((_ALL, kind, name), count)


def _runtime(reading: Reading) -> Iterator[Row]:
    for name, histogram in reading.runs_of_names.items():
        yield Row((_ALL, name), distribution(histogram))


def _prefetch_time(reading: Reading) -> Iterator[Row]:
    found: dict[tuple[str, str], float] = {}
    for one in reading.running:
        if one.eta is None and one.received_at is not None and one.started_at is not None:
            waited = (one.started_at - one.received_at).total_seconds()
            found.setdefault((one.worker, one.name), max(waited, 0.0))
    for place, waited in found.items():
        yield Row(place, waited)


def _prefetched(reading: Reading) -> Iterator[Row]:
    held = Counter((one.worker, one.name) for one in reading.received if one.eta is None)
    for place, count in held.items():
        yield Row(place, count)


def _online(reading: Reading) -> Iterator[Row]:
    for one in reading.workers:
        yield Row((one.hostname,), int(liveness.presence(one, reading.now) == "online"))


def _executing(reading: Reading) -> Iterator[Row]:
    for one in reading.workers:
        yield Row((one.hostname,), reading.busy.get(one.hostname, 0))


METRICS: Final = (
    Metric("flower_events", "counter", "Events.", ("worker", "type", "task"), _events),
    Metric(
        "flower_task_runtime_seconds",
        "histogram",
        "How long tasks ran.",
        _OF_TASK,
        _runtime,
        "seconds",
    ),
    Metric(
        "flower_task_prefetch_time_seconds",
        "gauge",
        "How long the newest task that runs had waited at its worker to begin.",
        _OF_TASK,
        _prefetch_time,
        "seconds",
    ),
    Metric(
        "flower_worker_prefetched_tasks",
        "gauge",
        "Tasks that a worker holds and has not begun.",
        _OF_TASK,
        _prefetched,
    ),
    Metric("flower_worker_online", "gauge", "1 where a worker is there.", ("worker",), _online),
    Metric(
        "flower_worker_number_of_currently_executing_tasks",
        "gauge",
        "Tasks that a worker runs.",
        ("worker",),
        _executing,
    ),
)
