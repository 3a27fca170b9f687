"""The metrics of celery-exporter 0.11, as far as the records tell them.

Nothing is counted by host here: all are told under the host that the exporter itself takes where
it is to keep them together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from z4j_django.metrics.base import Metric, Row
from z4j_django.metrics.distributions import distribution
from z4j_django.metrics.reading import Reading
from z4j_django.models import WorkerRecord
from z4j_django.queries import liveness
from z4j_django.queries.ever import Total

#: The host under which all are told together.
_GENERIC: Final = "generic"
#: A worker that said goodbye, or nothing any more, is told for so long.
_PURGED_AFTER: Final = timedelta(minutes=10)
_OF_TASKS: Final = ("name", "hostname", "queue_name")


def _counted(counter: str) -> Callable[[Reading], Iterator[Row]]:
    def rows(reading: Reading) -> Iterator[Row]:
        for one in reading.totals:
            yield Row((one.name, _GENERIC, one.queue), one.counts[counter])

    return rows


def _failed(reading: Reading) -> Iterator[Row]:
    for one in reading.totals:
        yield Row((one.name, _GENERIC, "", one.queue), one.counts["failed"])


def _lengths(histogram: Callable[[Total], dict[int, int]]) -> Callable[[Reading], Iterator[Row]]:
    def rows(reading: Reading) -> Iterator[Row]:
        for one in reading.totals:
            if counts := histogram(one):
                yield Row((one.name, _GENERIC, one.queue), distribution(counts))

    return rows


def _host(hostname: str) -> str:
    return hostname.partition("@")[2] or hostname


def _told(reading: Reading) -> list[WorkerRecord]:
    since = reading.now - _PURGED_AFTER
    return [one for one in reading.workers if (liveness.last_word(one) or since) > since]


def _up(reading: Reading) -> Iterator[Row]:
    found: dict[str, int] = {}
    for one in _told(reading):
        host, is_up = _host(one.hostname), liveness.presence(one, reading.now) == "online"
        found[host] = max(found.get(host, 0), int(is_up))
    for host, value in found.items():
        yield Row((host,), value)


def _running(reading: Reading) -> Iterator[Row]:
    found: Counter[str] = Counter()
    for one in _told(reading):
        found[_host(one.hostname)] += reading.busy.get(one.hostname, 0) if one.online else 0
    for host, count in found.items():
        yield Row((host,), count)


def _length(reading: Reading) -> Iterator[Row]:
    for name, sample in reading.queues.items():
        if sample.depth is not None:
            yield Row((name,), sample.depth)


def _consumers(reading: Reading) -> Iterator[Row]:
    for name, sample in reading.queues.items():
        if sample.consumers is not None:
            yield Row((name,), sample.consumers)


def _workers(reading: Reading) -> Iterator[Row]:
    for name in dict.fromkeys([*reading.queues, *reading.consumers]):
        yield Row((name,), reading.consumers[name].workers)


def _processes(reading: Reading) -> Iterator[Row]:
    for name in dict.fromkeys([*reading.queues, *reading.consumers]):
        yield Row((name,), reading.consumers[name].slots)


def _counter(word: str, about: str) -> Metric:
    return Metric(f"celery_task_{word}", "counter", about, _OF_TASKS, _counted(word))


def _of_queue(word: str, about: str, rows: Callable[[Reading], Iterator[Row]]) -> Metric:
    return Metric(f"celery_{word}", "gauge", about, ("queue_name",), rows)


METRICS: Final = (
    _counter("sent", "Messages of tasks that were published."),
    _counter("received", "Messages of tasks that a worker took."),
    _counter("started", "Runs of tasks that began."),
    _counter("succeeded", "Runs of tasks that succeeded."),
    Metric(
        "celery_task_failed",
        "counter",
        "Runs of tasks that failed.",
        ("name", "hostname", "exception", "queue_name"),
        _failed,
    ),
    _counter("rejected", "Messages of tasks that were rejected."),
    _counter("revoked", "Tasks that were revoked or expired."),
    _counter("retried", "Runs of tasks that asked to be run again."),
    Metric("celery_worker_up", "gauge", "1 where a worker is there.", ("hostname",), _up),
    Metric(
        "celery_worker_tasks_active", "gauge", "Tasks that a worker runs.", ("hostname",), _running
    ),
    Metric(
        "celery_task_runtime",
        "histogram",
        "How many seconds tasks ran.",
        _OF_TASKS,
        _lengths(lambda one: one.runs),
    ),
    Metric(
        "celery_task_queue_wait_time",
        "histogram",
        "How many seconds tasks waited to begin after they were sent, or due.",
        _OF_TASKS,
        _lengths(lambda one: one.waits),
    ),
    _of_queue("queue_length", "Messages that wait in a queue.", _length),
    _of_queue("active_consumer_count", "Consumers of a queue that its broker knows.", _consumers),
    _of_queue("active_worker_count", "Workers that take tasks from a queue.", _workers),
    _of_queue("active_process_count", "Processes of the workers of a queue.", _processes),
)
