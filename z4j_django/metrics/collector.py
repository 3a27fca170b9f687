"""The metrics for a registry of ``prometheus_client``, beside those of the project itself.

    from prometheus_client import REGISTRY
    from z4j_django.metrics.collector import Z4JCollector

    REGISTRY.register(Z4JCollector())

It is for one process: of those that share a directory for their metrics, as of ``gunicorn``, each
would tell the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured

try:
    from prometheus_client import core
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    raise ImproperlyConfigured(
        "z4j_django.metrics.collector needs prometheus_client, which is not installed. "
        "Run: pip install prometheus_client"
    ) from error

from z4j_django.conf import settings
from z4j_django.metrics import registry
from z4j_django.metrics.base import Metric, Row
from z4j_django.metrics.distributions import WORDS, Distribution, Exemplar
from z4j_django.metrics.reading import Reading
from z4j_django.values import clean


class Z4JCollector(Collector):
    """Reads the database whenever it is asked."""

    def describe(self) -> list[core.Metric]:
        """The metrics without values: nothing is read when it is registered."""
        return [_family(metric) for metric in registry.wanted()]

    def collect(self) -> Iterator[core.Metric]:
        """The metrics as they stand."""
        reading = Reading(names_tasks=settings.METRICS_EXEMPLARS)
        for metric in registry.wanted():
            family = _family(metric)
            for row in metric.rows(reading):
                _add(family, metric, row)
            yield family


def _family(metric: Metric) -> core.Metric:
    return core.Metric(metric.name, metric.about, metric.kind, metric.unit)


def _add(family: core.Metric, metric: Metric, row: Row) -> None:
    labels = dict(zip(metric.labels, map(clean, row.labels), strict=True))
    if isinstance(row.value, Distribution):
        for place, (word, count) in enumerate(zip(WORDS, row.value.counts, strict=True)):
            named = _exemplar(row.value.exemplars.get(place))
            family.add_sample(f"{metric.name}_bucket", {**labels, "le": word}, count, None, named)
        family.add_sample(f"{metric.name}_sum", labels, row.value.sum)
        family.add_sample(f"{metric.name}_count", labels, row.value.counts[-1])
        return
    name = f"{metric.name}_total" if metric.kind == "counter" else metric.name
    family.add_sample(name, labels, row.value, None, _exemplar(row.exemplar))


def _exemplar(one: Exemplar | None) -> core.Exemplar | None:
    return None if one is None else core.Exemplar({"task_id": one.task_id}, one.value, one.at)
