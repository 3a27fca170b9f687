"""The pages of conditions: the parts of the first page, the chart's numbers, what is watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.contrib import admin
from django.db import DatabaseError, connections, router, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django.admin import formatting, fragments, links, navigation
from z4j_django.admin.alerts import delivery_pages, silence_pages
from z4j_django.admin.fragments import Part
from z4j_django.admin.navigation import APP
from z4j_django.admin.pages import Page
from z4j_django.admin.readonly import ReadOnlyAdmin, facts
from z4j_django.admin.room import attention, chart, figures, tables
from z4j_django.admin.room.reading import CONDITIONS, Reading
from z4j_django.admin.trails import Button
from z4j_django.conditions import registry
from z4j_django.conf import settings
from z4j_django.models import ConditionRecord
from z4j_django.queries.filter import terms
from z4j_django.watch import on_demand

#: Conditions in the block on the admin's own index.
BRIEF: Final = 3


class Room:
    """The parts of the first page, for one request."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.reading = Reading(timezone.now())

    def parts(self, *, brief: bool = False) -> dict[str, Part]:
        """All of them; where it is to be brief, what is wrong and the figures."""
        if brief:
            return {"brief": Part("admin/z4j_django/room/brief.html", self.safely(self._brief))}
        once = self.safely(lambda: {"chart": chart.shown(self.reading, self.request)})
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

    def place(self) -> dict[str, Any]:
        """What this is, in the page's head: the project, where it runs, and its newest release."""
        project = self.reading.project
        release = ""
        if navigation.may_view(self.request, "taskrecord") and (name := self.reading.release):
            shown = formatting.release(name)
            url = links.tasks_url(self.request, str(terms.exactly("release", name)))
            release = links.linked(url, shown)
        return {
            "project": project if project != "default" else "",
            "environment": settings.environment,
            "release": release,
        }

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
        if may(self.request, "errorgroup"):
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
        **({} if brief else room.safely(room.place)()),
        "updated": formatting.moment(timezone.now()),
        "overview": navigation.address(request, "app_list", app_label=APP),
    }


class WatchedPage(Page):
    """What is watched, with the thresholds that count here."""

    template_name = "admin/z4j_django/room/watched.html"
    place = "overview"

    def context(self) -> dict[str, Any]:
        """One row a condition."""
        current = registry.current()
        held = ConditionRecord.objects.filter(project=settings.PROJECT, is_open=True)
        holding = set(held.values_list("key", flat=True).distinct())
        return {
            "title": _("What is watched"),
            "rows": [
                {
                    "key": key,
                    "title": _(one.title),
                    "about": formatting.prose(_(one.about)),
                    "remedy": formatting.prose(_(one.remedy)),
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
            self.page("series/", "series", chart.SeriesPage),
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
        return self.link(self.url(record), _(condition.title) if condition else record.key)

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
            "title": f"{_(condition.title) if condition else record.key} {record.subject}".rstrip(),
            "badge": self.shown_severity(record),
            "remedy": formatting.prose(_(condition.remedy)) if condition else "",
            "about": formatting.prose(_(condition.about)) if condition else "",
            "record": record,
            "buttons": _buttons(request, record),
            **delivery_pages.told_of(self, request, record),
            "facts": facts(
                (_("Since"), formatting.full_moment(record.since)),
                (_("Until"), formatting.full_moment(record.ended_at) if record.ended_at else ""),
                (_("Last found"), formatting.full_moment(record.last_seen)),
                *((str(key), formatting.plain(str(value))) for key, value in _numbers(record)),
            ),
        }


def _buttons(request: HttpRequest, record: ConditionRecord) -> list[Button]:
    """What may be done about it, while it holds."""
    if record.ended_at is not None:
        return []
    url = silence_pages.url_for(request, record.key, record.subject)
    return [Button(_("Silence…"), url)] if url else []


def _numbers(record: ConditionRecord) -> list[tuple[Any, Any]]:
    return list(record.numbers.items()) if isinstance(record.numbers, dict) else []
