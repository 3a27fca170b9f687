"""The metrics as observable instruments of OpenTelemetry, where its API is installed.

    from z4j_django.metrics import opentelemetry

    opentelemetry.instrument()

Whoever exports them reads the database each time: one process of the project is to do so.
OpenTelemetry has no histogram that is observed: of one the buckets, the sum and the count are told
as counters, as Prometheus has them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

try:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter
except ModuleNotFoundError as error:
    raise ImproperlyConfigured(
        "z4j_django.metrics.opentelemetry needs opentelemetry-api, which is not installed. "
        "Run: pip install opentelemetry-api"
    ) from error

import z4j_django
from z4j_django import logs
from z4j_django.metrics import registry
from z4j_django.metrics.base import Metric, Row
from z4j_django.metrics.distributions import WORDS, Distribution
from z4j_django.metrics.reading import Reading
from z4j_django.values import clean

logger = logs.logger("z4j_django.metrics")

#: Seconds for which what was read is told: all instruments are asked one after the other.
_SHARED: Final = 1.0
_UNITS: Final = {"seconds": "s", "bytes": "By"}

Observe = Callable[[CallbackOptions], Iterable[Observation]]


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Make an instrument of each metric.

    Args:
        meter_provider: Of which; by default of the one that is set for the process.
    """
    meter = get_meter("z4j_django", z4j_django.__version__, meter_provider)
    readings = _Readings()
    for metric in registry.wanted():
        for name, make, observations in _instruments(meter, metric):
            unit = "1" if observations in (_buckets, _count) else _UNITS.get(metric.unit, "1")
            callback = _callback(metric, readings, observations)
            make(name, callbacks=[callback], unit=unit, description=metric.about)


class _Readings:
    """Gives the instruments that are asked together the same reading."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at = -_SHARED
        self._rows: dict[str, list[Row]] = {}
        self._reading = Reading()

    def rows(self, metric: Metric) -> list[Row]:
        with self._lock:
            if time.monotonic() - self._at >= _SHARED:
                self._at, self._rows, self._reading = time.monotonic(), {}, Reading()
            if metric.name not in self._rows:
                self._rows[metric.name] = list(metric.rows(self._reading))
            return self._rows[metric.name]


def _instruments(
    meter: Any, metric: Metric
) -> Iterator[tuple[str, Callable[..., Any], Callable[[dict[str, str], Row], Iterable[Any]]]]:
    """Name, how it is made, and what it observes of a row."""
    if metric.kind == "gauge":
        yield metric.name, meter.create_observable_gauge, _value
    elif metric.kind == "counter":
        yield metric.name, meter.create_observable_counter, _value
    else:
        counter = meter.create_observable_counter
        yield f"{metric.name}_bucket", counter, _buckets
        yield f"{metric.name}_sum", counter, _sum
        yield f"{metric.name}_count", counter, _count


def _callback(
    metric: Metric,
    readings: _Readings,
    observations: Callable[[dict[str, str], Row], Iterable[Any]],
) -> Observe:
    def observe(options: CallbackOptions) -> list[Observation]:
        _let_old_connections_go()
        try:
            return [
                one
                for row in readings.rows(metric)
                for one in observations(
                    dict(zip(metric.labels, map(clean, row.labels), strict=True)), row
                )
            ]
        except Exception as error:  # whatever a driver raises, which nobody else would hear
            logger.warning("%s could not be read: %s: %s", metric.name, type(error).__name__, error)
            return []
        finally:
            _let_old_connections_go()

    return observe


def _let_old_connections_go() -> None:
    """As Django does around a request: mostly a thread of the exporter's own asks.

    It may also be one that is in the middle of a transaction, which is left alone.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _value(labels: dict[str, str], row: Row) -> Iterator[Observation]:
    if not isinstance(row.value, Distribution):
        yield Observation(row.value, labels)


def _buckets(labels: dict[str, str], row: Row) -> Iterator[Observation]:
    if isinstance(row.value, Distribution):
        for word, count in zip(WORDS, row.value.counts, strict=True):
            yield Observation(count, {**labels, "le": word})


def _sum(labels: dict[str, str], row: Row) -> Iterator[Observation]:
    if isinstance(row.value, Distribution):
        yield Observation(row.value.sum, labels)


def _count(labels: dict[str, str], row: Row) -> Iterator[Observation]:
    if isinstance(row.value, Distribution):
        yield Observation(row.value.counts[-1], labels)
