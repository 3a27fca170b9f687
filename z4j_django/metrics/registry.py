"""All metrics, each declared once: what is scraped, measured, documented and drawn is theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Final

import z4j_django
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conf import settings
from z4j_django.counters import COUNTERS
from z4j_django.metrics.base import Metric, Row
from z4j_django.metrics.compat import celery_exporter, flower
from z4j_django.metrics.distributions import distribution
from z4j_django.metrics.reading import Reading
from z4j_django.models import WorkerRecord
from z4j_django.queries import health, liveness
from z4j_django.queries.ever import Total
from z4j_django.values import OTHER

#: How a run, or a message, can end; and what else is counted.
OUTCOMES: Final = tuple(one for one in COUNTERS if one not in ("sent", "received", "started"))
_OF_TASKS: Final = ("name", "queue")
#: The condition that a schedule is late.
_OVERDUE: Final = "schedule_overdue"
_JOURNAL: Final = ("host", "directory")


def _info(reading: Reading) -> Iterator[Row]:
    version = z4j_django.__version__
    yield Row((reading.project, settings.environment, version, reading.release), 1)


def _counted(counter: str) -> Callable[[Reading], Iterator[Row]]:
    def rows(reading: Reading) -> Iterator[Row]:
        for one in reading.totals:
            yield Row((one.name, one.queue), one.counts[counter])

    return rows


def _ended(reading: Reading) -> Iterator[Row]:
    failed = reading.exemplars.failed
    for one in reading.totals:
        pair = (one.name, one.queue)
        for outcome in OUTCOMES:
            named = failed.get(pair) if outcome == "failed" else None
            yield Row((*pair, outcome), one.counts[outcome], named)


def _lengths(which: str) -> Callable[[Reading], Iterator[Row]]:
    histogram: Callable[[Total], dict[int, int]] = attrgetter(which)

    def rows(reading: Reading) -> Iterator[Row]:
        named = getattr(reading.exemplars, which)
        for one in reading.totals:
            if counts := histogram(one):
                pair = (one.name, one.queue)
                yield Row(pair, distribution(counts, named.get(pair)))

    return rows


def _stored(reading: Reading) -> Iterator[Row]:
    for kind in COUNTERS:
        yield Row((kind,), sum(one.counts[kind] for one in reading.counted))


def _lost(reading: Reading) -> Iterator[Row]:
    found = dict.fromkeys(health.REASONS, 0)
    for reason, count in reading.lost.items():
        known = reason if reason in health.REASONS else OTHER  # as a newer version may name
        found[known] = found.get(known, 0) + count
    for reason, count in found.items():
        yield Row((reason,), count)


def _messages(reading: Reading) -> Iterator[Row]:
    for name, sample in reading.queues.items():
        if sample.depth is not None:
            yield Row((name,), sample.depth)


def _oldest(reading: Reading) -> Iterator[Row]:
    for name, sample in reading.queues.items():
        if sample.oldest_at is not None:
            yield Row((name,), reading.age(sample.oldest_at))
        elif sample.depth is not None:
            yield Row((name,), 0)


def _consumers(reading: Reading) -> Iterator[Row]:
    names = dict.fromkeys([*reading.queues, *reading.consumers])
    for name in names:
        yield Row((name,), reading.consumers[name].workers)


def _there(reading: Reading) -> Iterator[WorkerRecord]:
    """The workers that said no goodbye."""
    return (one for one in reading.workers if one.online)


def _up(reading: Reading) -> Iterator[Row]:
    for one in _there(reading):
        yield Row((one.hostname,), int(liveness.presence(one, reading.now) == "online"))


def _slots(reading: Reading) -> Iterator[Row]:
    for one in _there(reading):
        if one.concurrency is not None:
            yield Row((one.hostname,), one.concurrency)


def _busy(reading: Reading) -> Iterator[Row]:
    for one in _there(reading):
        yield Row((one.hostname,), reading.busy.get(one.hostname, 0))


def _overdue(reading: Reading) -> Iterator[Row]:
    late = {one.subject: one.since for one in reading.holding if one.key == _OVERDUE}
    for name in dict.fromkeys([*reading.schedules, *late]):
        yield Row((name,), reading.age(late[name]) if name in late else 0)


def _active(reading: Reading) -> Iterator[Row]:
    counts = Counter((one.key, one.severity) for one in reading.holding)
    declared = ((key, one.severity) for key, one in CONDITIONS.items())
    for place in dict.fromkeys([*declared, *counts]):
        yield Row(place, counts[place])


def _checked(reading: Reading) -> Iterator[Row]:
    if reading.checked_at is not None:
        yield Row((), round(reading.checked_at.timestamp(), 3))


def _of_journals(value: Callable[[health.Journal], float]) -> Callable[[Reading], Iterator[Row]]:
    def rows(reading: Reading) -> Iterator[Row]:
        for one in reading.journals:
            yield Row((one.host, one.directory), value(one))

    return rows


def _lag(one: health.Journal) -> float:
    """How long the oldest event waits: it does so on, while nothing is heard."""
    return (one.lag + one.silence).total_seconds() if one.pending else 0.0


_TASKS: Final = (
    Metric(
        "z4j_tasks_sent",
        "counter",
        "Messages of tasks that were published.",
        _OF_TASKS,
        _counted("sent"),
        by=("queue",),
    ),
    Metric(
        "z4j_tasks_received",
        "counter",
        "Messages of tasks that a worker took.",
        _OF_TASKS,
        _counted("received"),
        by=("queue",),
    ),
    Metric(
        "z4j_tasks_started",
        "counter",
        "Runs of tasks that began.",
        _OF_TASKS,
        _counted("started"),
        by=("name",),
    ),
    Metric(
        "z4j_tasks_ended",
        "counter",
        "Runs of tasks that ended, and messages that came to nothing, by outcome.",
        (*_OF_TASKS, "outcome"),
        _ended,
        by=("outcome",),
    ),
    Metric(
        "z4j_task_run_seconds",
        "histogram",
        "How long tasks ran, however they ended.",
        _OF_TASKS,
        _lengths("runs"),
        "seconds",
        by=("name",),
    ),
    Metric(
        "z4j_task_wait_seconds",
        "histogram",
        "How long tasks waited to begin after they were sent, or due.",
        _OF_TASKS,
        _lengths("waits"),
        "seconds",
        by=("queue",),
    ),
)
_NOW: Final = (
    Metric(
        "z4j_queue_messages",
        "gauge",
        "Messages that wait in a queue, as it was sampled last.",
        ("queue",),
        _messages,
        by=("queue",),
    ),
    Metric(
        "z4j_queue_oldest_message_age_seconds",
        "gauge",
        "How long the oldest message of a queue has waited, as far as the records tell.",
        ("queue",),
        _oldest,
        "seconds",
        by=("queue",),
    ),
    Metric(
        "z4j_queue_consumers",
        "gauge",
        "Workers that are there and take tasks from a queue.",
        ("queue",),
        _consumers,
        by=("queue",),
    ),
    Metric(
        "z4j_worker_up",
        "gauge",
        "1 where a worker was heard of within two minutes, else 0; one that said goodbye has none.",
        ("worker",),
        _up,
        by=("worker",),
    ),
    Metric(
        "z4j_worker_slots",
        "gauge",
        "Processes, threads or greenlets of a worker's pool, as it said when it came up.",
        ("worker",),
        _slots,
        by=("worker",),
    ),
    Metric(
        "z4j_worker_busy_slots",
        "gauge",
        "Tasks that a worker runs.",
        ("worker",),
        _busy,
        by=("worker",),
    ),
    Metric(
        "z4j_schedule_overdue_seconds",
        "gauge",
        "How long ago beat should have sent a schedule that counts as overdue; 0 where it does "
        "not.",
        ("schedule",),
        _overdue,
        "seconds",
        by=("schedule",),
    ),
    Metric(
        "z4j_condition_active",
        "gauge",
        "Of how many subjects a condition holds.",
        ("condition", "severity"),
        _active,
        by=("condition", "severity"),
    ),
    Metric(
        "z4j_conditions_checked_timestamp_seconds",
        "gauge",
        "When it was last looked at what is wrong, in seconds since the epoch.",
        (),
        _checked,
        "seconds",
    ),
)
_CAPTURE: Final = (
    Metric(
        "z4j_events_stored",
        "counter",
        "Events of tasks that were stored and counted, by kind.",
        ("kind",),
        _stored,
        by=("kind",),
    ),
    Metric(
        "z4j_events_lost",
        "counter",
        "Events that are on record nowhere, by reason.",
        ("reason",),
        _lost,
        by=("reason",),
    ),
    Metric(
        "z4j_journal_lag_seconds",
        "gauge",
        "How long the oldest event of a journal has waited to be stored.",
        _JOURNAL,
        _of_journals(_lag),
        "seconds",
        by=_JOURNAL,
    ),
    Metric(
        "z4j_journal_pending_bytes",
        "gauge",
        "Bytes of a journal that are not stored yet.",
        _JOURNAL,
        _of_journals(lambda one: one.pending),
        "bytes",
        by=_JOURNAL,
    ),
    Metric(
        "z4j_journal_size_bytes",
        "gauge",
        "Bytes of a journal on disk.",
        _JOURNAL,
        _of_journals(lambda one: one.size),
        "bytes",
        by=_JOURNAL,
    ),
    Metric(
        "z4j_journal_silence_seconds",
        "gauge",
        "How long ago the shipper of a journal was last heard of.",
        _JOURNAL,
        _of_journals(lambda one: one.silence.total_seconds()),
        "seconds",
        by=_JOURNAL,
    ),
    Metric(
        "z4j_info",
        "gauge",
        "1, with what the project is.",
        ("project", "environment", "version", "release"),
        _info,
    ),
)
#: In the order in which they are told, by what they tell of.
GROUPS: Final[dict[str, tuple[Metric, ...]]] = {
    "Tasks": _TASKS,
    "Queues, workers, schedules, conditions": _NOW,
    "Recording": _CAPTURE,
}
METRICS: Final[tuple[Metric, ...]] = tuple(one for group in GROUPS.values() for one in group)
#: Those of others, by the words of ``Z4J["METRICS_COMPAT"]``.
COMPAT: Final[dict[str, tuple[Metric, ...]]] = {
    "flower": flower.METRICS,
    "celery-exporter": celery_exporter.METRICS,
}


def wanted() -> Iterable[Metric]:
    """What the settings want told."""
    yield from METRICS
    for word in dict.fromkeys(settings.METRICS_COMPAT):
        yield from COMPAT[word]
