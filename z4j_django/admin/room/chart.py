"""What became of tasks over time, with the releases of that time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from z4j_django import counters
from z4j_django.admin import charts, formatting, fragments, navigation
from z4j_django.admin.navigation import APP
from z4j_django.admin.pages import Page
from z4j_django.admin.room.reading import Reading
from z4j_django.conf import settings
from z4j_django.queries import statistics, time_ranges
from z4j_django.values import as_json

#: Seconds of the chart, by the words for them, and what they are called.
RANGES: Final = {
    "1h": (3_600, gettext_lazy("1 h")),
    "6h": (6 * 3_600, gettext_lazy("6 h")),
    "24h": (86_400, gettext_lazy("24 h")),
    "7d": (7 * 86_400, gettext_lazy("7 d")),
    "30d": (30 * 86_400, gettext_lazy("30 d")),
    "90d": (90 * 86_400, gettext_lazy("90 d")),
}
_DEFAULT: Final = "1h"
_DEFAULT_POINTS: Final = RANGES[_DEFAULT][0] // counters.MINUTE


def shown(reading: Reading, request: HttpRequest) -> dict[str, Any]:
    """The context of the chart; of the last hour all is read already."""
    chosen = _chosen(request)
    series = navigation.address(request, f"{APP}_conditionrecord_series")
    if chosen == _DEFAULT:
        points: Sequence[statistics.Point] = reading.pulse.points[-_DEFAULT_POINTS:]
        step = counters.MINUTE
    else:
        points, within = _points(chosen)
        step = within.step
    outcomes = charts.outcomes(points)["series"]
    rows = list(zip(points, zip(*(one["values"] for one in outcomes), strict=True), strict=True))
    return {
        "url": f"{series}?range={chosen}",
        "ranges": [
            {"label": label, "name": name, "is_chosen": name == chosen}
            for name, (_seconds, label) in RANGES.items()
        ],
        "outcomes": outcomes,
        "rows": [
            {
                "at": datetime.fromtimestamp(point.at, UTC),
                "values": [formatting.count(value) for value in values],
            }
            for point, values in reversed(rows)
            if any(values)
        ],
        "step": formatting.span(step),
    }


def _chosen(request: HttpRequest) -> str:
    given = request.GET.get("range", "")
    return given if given in RANGES else _DEFAULT


def _points(chosen: str) -> tuple[list[statistics.Point], time_ranges.Range]:
    now = time.time()
    within = time_ranges.series_range(now - RANGES[chosen][0], now)
    return statistics.series(settings.PROJECT, within), within


class SeriesPage(Page):
    """The numbers of the chart."""

    def may_see(self, request: HttpRequest) -> bool:
        """They are counted of tasks."""
        return navigation.may_view(request, "taskrecord")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """As JSON."""
        found = fragments.told(request, "series", lambda: as_json(_series(_chosen(request))))
        response = HttpResponse(found, content_type="application/json")
        return fragments.revalidated(request, response, found)


def _series(chosen: str) -> dict[str, Any]:
    points, within = _points(chosen)
    return {
        **charts.outcomes(points),
        "step": within.step,
        "marks": charts.marks(settings.PROJECT, within.since),
    }
