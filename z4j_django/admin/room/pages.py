"""The pages of conditions: the parts of the first page, the chart's numbers, what is watched."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import admin
from django.db import DatabaseError, connections, router, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django.admin import formatting, fragments, navigation
from z4j_django.admin.fragments import Part
from z4j_django.admin.navigation import APP
from z4j_django.admin.pages import Page
from z4j_django.admin.readonly import ReadOnlyAdmin, facts
from z4j_django.admin.room import attention, figures, tables
from z4j_django.admin.room.reading import CONDITIONS, Reading
from z4j_django.conditions import registry
from z4j_django.conf import settings
from z4j_django.models import ConditionRecord
from z4j_django.queries import releases, statistics
from z4j_django.values import as_json
from z4j_django.watch import on_demand

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
#: Conditions in the block on the admin's own index.
BRIEF: Final = 3
#: What the chart's bars are made of, from the bottom up.
OUTCOMES: Final = (
    ("finished", gettext_lazy("finished")),
    ("failed", gettext_lazy("failed")),
    ("retried", gettext_lazy("retried")),
    ("revoked", gettext_lazy("revoked")),
)


class Room:
    """The parts of the first page, for one request."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.reading = Reading(timezone.now())

    def parts(self, *, brief: bool = False) -> dict[str, Part]:
        """All of them; where it is to be brief, what is wrong and the figures."""
        if brief:
            return {"brief": Part("admin/z4j_django/room/brief.html", self.safely(self._brief))}
        once = self.safely(lambda: {"chart": chart(self.request)})
        may = navigation.may_view(self.request, "taskrecord")
        now = Part(
            "admin/z4j_django/room/now.html", self.safely(self._now), once=once if may else None
        )
        return {"now": now}

    def safely(self, context: Callable[[], dict[str, Any]]) -> Callable[[], Mapping[str, Any]]:
        """A context, or why there is none: the admin's index needs no table of ours."""

        def read() -> Mapping[str, Any]:
            using = router.db_for_read(ConditionRecord)
            try:
                # An error must not undo what surrounds it.
                if connections[using].in_atomic_block:
                    with transaction.atomic(using=using):
                        return context()
                return context()
            except DatabaseError as error:
                return {"failure": type(error).__name__}

        return read

    def _brief(self, conditions: int = BRIEF) -> dict[str, Any]:
        checked = self.reading.attention.checked_at
        if checked is None or abs(self.reading.now - checked) > on_demand.STALE:
            on_demand.refresh_soon(self.reading.project)
        context = {**self._attention(conditions), **self._figures()}
        if navigation.may_view(self.request, "journalrecord"):
            context["recording"] = tables.recording(self.reading, self.request)
        return context

    def _now(self) -> dict[str, Any]:
        may = navigation.may_view
        context = self._brief(CONDITIONS)
        if may(self.request, "taskrecord"):
            context |= {
                "queues": tables.queues(self.reading, self.request),
                "running": tables.longest(self.reading, self.request),
                "schedules": tables.schedules(self.reading, self.request),
            }
        if may(self.request, "workerrecord"):
            context["workers"] = tables.workers(self.reading, self.request)
        if self.request.user.has_perm(f"{APP}.view_errorgroup"):
            context["errors"] = tables.failures(self.reading, self.request)
        return context

    def _attention(self, limit: int) -> dict[str, Any]:
        if not navigation.may_view(self.request, "conditionrecord"):
            return {}
        return {"attention": attention.shown(self.reading, self.request, limit)}

    def _figures(self) -> dict[str, Any]:
        if not navigation.may_view(self.request, "taskrecord"):
            return {}
        return figures.shown(self.reading, self.request)


class RoomPage(Page):
    """The parts of the first page by themselves; the page is the app's index."""

    def may_see(self, request: HttpRequest) -> bool:
        """Whoever may see anything of ours; each part shows what they may."""
        return bool(request.user.has_module_perms(APP))

    def parts(self) -> Mapping[str, Part]:
        """Those of both indexes."""
        room = Room(self.request)
        return {**room.parts(), **room.parts(brief=True)}

    def context(self) -> dict[str, Any]:
        """Where somebody asks for it as a page."""
        return {"title": _("Celery now"), "place": "overview"}


def shown(request: HttpRequest, *, brief: bool) -> dict[str, Any]:
    """The context of the first page, or of the block on the admin's own index."""
    address = navigation.address(request, f"{APP}_conditionrecord_room")
    site = navigation.site_of(request)
    if address is None or site is None or not request.user.has_module_perms(APP):
        return {}
    room = Room(request)
    return {
        "shown": True,
        "parts": fragments.whole(request, room.parts(brief=brief), address),
        "project": settings.PROJECT,
        "updated": formatting.moment(timezone.now()),
        "overview": navigation.address(request, "app_list", app_label=APP),
    }


def chart(request: HttpRequest) -> dict[str, Any]:
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


def _points(chosen: str) -> tuple[list[statistics.Point], statistics.Range]:
    now = time.time()
    within = statistics.series_range(now - RANGES[chosen][0], now)
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


def _marks(within: statistics.Range) -> list[dict[str, Any]]:
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


class WatchedPage(Page):
    """What is watched, with the thresholds that count here."""

    template_name = "admin/z4j_django/room/watched.html"
    place = "overview"

    def context(self) -> dict[str, Any]:
        """One row a condition."""
        current = registry.current()
        holding = {
            one.key
            for one in ConditionRecord.objects.filter(project=settings.PROJECT, is_open=True)
        }
        return {
            "title": _("What is watched"),
            "rows": [
                {
                    "key": key,
                    "title": one.title,
                    "about": formatting.prose(one.about),
                    "remedy": formatting.prose(one.remedy),
                    "severity": one.severity,
                    "is_on": key in current,
                    "holds": key in holding,
                    "thresholds": [
                        {"name": name, "value": f"{getattr(current[key], name):.12g}"}
                        for name in getattr(current.get(key), "__struct_fields__", ())
                    ],
                }
                for key, one in registry.CONDITIONS.items()
            ],
        }


@admin.register(ConditionRecord)
class ConditionAdmin(ReadOnlyAdmin):
    """What is wrong, and what was: the newest first."""

    list_display = (
        "shown_severity",
        "shown_key",
        "shown_subject",
        "began",
        "ended",
        "shown_evidence",
    )
    list_display_links = None
    detail_template = "admin/z4j_django/conditionrecord/detail.html"

    def get_urls(self) -> list[Any]:
        """With the parts of the first page."""
        own = [
            self.page("room/", "room", RoomPage),
            self.page("series/", "series", SeriesPage),
            self.page("watched/", "watched", WatchedPage),
        ]
        return [*own, *super().get_urls()]

    @admin.display(description=gettext_lazy("severity"))
    def shown_severity(self, record: ConditionRecord) -> str:
        """How bad it is, while it holds."""
        if record.ended_at is not None:
            return formatting.pill(_("over"), colour="offline")
        colour = "failure" if record.severity == "critical" else "retry"
        return formatting.pill(record.severity, colour=colour)

    @admin.display(description=gettext_lazy("condition"))
    def shown_key(self, record: ConditionRecord) -> str:
        """What is wrong, leading to all that is known of it."""
        condition = registry.CONDITIONS.get(record.key)
        return self.link(self.url(record), condition.title if condition else record.key)

    @admin.display(description=gettext_lazy("of"))
    def shown_subject(self, record: ConditionRecord) -> str:
        """What it is said of."""
        return formatting.name(record.subject)

    @admin.display(description=gettext_lazy("since"))
    def began(self, record: ConditionRecord) -> str:
        """Since when."""
        return formatting.moment(record.since)

    @admin.display(description=gettext_lazy("until"))
    def ended(self, record: ConditionRecord) -> str:
        """Until when."""
        return formatting.moment(record.ended_at)

    @admin.display(description=gettext_lazy("evidence"))
    def shown_evidence(self, record: ConditionRecord) -> str:
        """What was found."""
        return formatting.plain(record.evidence)

    def detail(self, request: HttpRequest, record: ConditionRecord) -> dict[str, Any]:
        """The context of a condition's page."""
        condition = registry.CONDITIONS.get(record.key)
        return {
            "title": f"{condition.title if condition else record.key} {record.subject}".rstrip(),
            "badge": self.shown_severity(record),
            "remedy": formatting.prose(condition.remedy) if condition else "",
            "about": formatting.prose(condition.about) if condition else "",
            "record": record,
            "facts": facts(
                (_("Since"), formatting.full_moment(record.since)),
                (_("Until"), formatting.full_moment(record.ended_at) if record.ended_at else ""),
                (_("Last found"), formatting.full_moment(record.last_seen)),
                *((str(key), formatting.plain(str(value))) for key, value in _numbers(record)),
            ),
        }


def _numbers(record: ConditionRecord) -> list[tuple[Any, Any]]:
    return list(record.numbers.items()) if isinstance(record.numbers, dict) else []
