"""The pictures of what was counted: how runs ended, and how long they and the waits took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.utils.translation import gettext as _

from z4j_django import histograms
from z4j_django.admin import formatting
from z4j_django.queries import releases
from z4j_django.queries.filter.values import stored
from z4j_django.queries.statistics import Point

#: Releases that a chart marks.
_MARKS: Final = 20


def histogram(counts: histograms.Histogram, label: str, kind: str) -> dict[str, Any]:
    """A histogram as bars, from its first bucket to its last; nothing where there is none."""
    if not counts:
        return {}
    numbers = range(min(counts), max(counts) + 1)
    values = [counts.get(number, 0) for number in numbers]
    bounds = [_bound(number) for number in numbers]
    p50, p95 = (histograms.percentile(counts, share) for share in (0.5, 0.95))
    told = {
        "label": label,
        "p50": formatting.duration(p50),
        "p95": formatting.duration(p95),
        "count": formatting.count(sum(values)),
    }
    said = _("%(label)s of %(count)s: half up to %(p50)s, 95 of 100 up to %(p95)s") % told
    titles = [
        _("%(count)s up to %(bound)s") % {"count": formatting.count(value), "bound": bound}
        for value, bound in zip(values, bounds, strict=True)
    ]
    return {
        **told,
        "bars": formatting.bars(values, titles, said, kind),
        "values": values,
        "rows": [
            {"bound": bound, "count": formatting.count(value)}
            for value, bound in zip(values, bounds, strict=True)
        ],
        "first": bounds[0],
        "last": bounds[-1],
    }


def _bound(number: int) -> str:
    if number < len(histograms.BOUNDS):
        return str(formatting.duration(histograms.BOUNDS[number]))
    return _("more")


def outcomes(points: Sequence[Point]) -> dict[str, Any]:
    """How runs ended over time, one on the other."""

    def of(*counters: str) -> list[int]:
        return [sum(one.counters[name] for name in counters) for one in points]

    series = (
        (_("finished"), "finished", of("succeeded", "ignored", "sampled")),
        (_("failed"), "failed", of("failed")),
        (_("retried"), "retried", of("retried")),
        (_("revoked"), "revoked", of("revoked", "rejected")),
    )
    return _numbers(points, series, "")


def runtimes(points: Sequence[Point]) -> dict[str, Any]:
    """How long runs took over time."""
    lines = {name: [one.runtime[name] for one in points] for name in ("p50", "p95")}
    series = ((_("half up to"), "quiet", lines["p50"]), (_("95 % up to"), "", lines["p95"]))
    return _numbers(points, series, "s")


def _numbers(points: Sequence[Point], series: Any, unit: str) -> dict[str, Any]:
    return {
        "at": [one.at for one in points],
        "series": [
            {"label": label, "outcome": outcome, "values": values}
            for label, outcome, values in series
        ],
        "unit": unit,
    }


def marks(project: str, since: float) -> list[dict[str, Any]]:
    """The releases that were first seen since a time, as a chart marks them."""
    begin = stored(datetime.fromtimestamp(since, UTC))
    return [
        {
            "at": int(one.first_seen.timestamp()),
            "label": formatting.short_release(one.name),
            "name": one.name,
        }
        for one in releases.first_seen_since(project, begin, _MARKS)
    ]


#: The charts of a name, by the parameter that asks for their numbers.
CHARTS: Final[dict[str, Callable[[Sequence[Point]], dict[str, Any]]]] = {
    "outcomes": outcomes,
    "runtimes": runtimes,
}
