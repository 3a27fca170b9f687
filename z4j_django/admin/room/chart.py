"""What became of tasks over time, with the releases of that time."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy

from z4j_django.admin import formatting, fragments, navigation
from z4j_django.admin.navigation import APP
from z4j_django.admin.pages import Page
from z4j_django.conf import settings
from z4j_django.queries import releases, statistics, time_ranges
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
_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}")
#: Releases that the chart marks at most.
_MARKS: Final = 20
#: What the chart's bars are made of, from the bottom up.
OUTCOMES: Final = (
    ("finished", gettext_lazy("finished")),
    ("failed", gettext_lazy("failed")),
    ("retried", gettext_lazy("retried")),
    ("revoked", gettext_lazy("revoked")),
)


def shown(request: HttpRequest) -> dict[str, Any]:
    """The context of the chart."""
    chosen = _chosen(request)
    series = navigation.address(request, f"{APP}_conditionrecord_series")
    points, within = _points(chosen)
    return {
        "url": f"{series}?range={chosen}",
        "ranges": [
            {"label": label, "name": name, "is_chosen": name == chosen}
            for name, (_seconds, label) in RANGES.items()
        ],
        "outcomes": [{"name": name, "label": label} for name, label in OUTCOMES],
        "rows": [
            {
                "at": datetime.fromtimestamp(point.at, UTC),
                "values": [formatting.count(value) for value in outcomes(point)],
            }
            for point in reversed(points)
            if any(outcomes(point))
        ],
        "step": formatting.span(within.step),
    }


def outcomes(point: statistics.Counted) -> list[int]:
    """The bars of a point, in the order of :data:`OUTCOMES`."""
    counters = point.counters
    return [
        point.finished - counters["failed"],
        counters["failed"],
        counters["retried"],
        counters["revoked"] + counters["rejected"],
    ]


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
    bars = list(zip(*map(outcomes, points), strict=True))
    return {
        "at": [point.at for point in points],
        "step": within.step,
        "unit": "",
        "series": [
            {"label": str(label), "outcome": name, "values": bars[place]}
            for place, (name, label) in enumerate(OUTCOMES)
        ],
        "marks": _marks(within),
    }


def _marks(within: time_ranges.Range) -> list[dict[str, Any]]:
    zone = UTC if timezone.get_current_timezone() else None
    since, until = (datetime.fromtimestamp(at, zone) for at in (within.since, within.until))
    if not timezone.is_aware(timezone.now()):
        since, until = since.replace(tzinfo=None), until.replace(tzinfo=None)
    found = releases.wanted(settings.PROJECT).filter(first_seen__gte=since, first_seen__lt=until)
    return [
        {"at": int(one.first_seen.timestamp()), "label": _short(one.name)}
        for one in found.order_by("-first_seen")[:_MARKS]
    ]


def _short(release: str) -> str:
    """A release's name as there is room for it; of a commit, what people call it by."""
    return release[:8] if _COMMIT.fullmatch(release) else release[:20]
