"""Schedules: what beat has to send, what came of it lately, and what is overdue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from z4j_django import states
from z4j_django.admin import formatting, schedule_pages
from z4j_django.admin.fragments import Part
from z4j_django.admin.pages import Page
from z4j_django.conf import settings
from z4j_django.models import TaskRecord
from z4j_django.queries import schedule_runs
from z4j_django.queries.filter import terms
from z4j_django.queries.schedule_runs import Schedule
from z4j_django.values import whole_number

#: Seconds from one refresh to the next.
_EVERY: Final = 15
#: The signs of a run's states: good, bad, neither, and still to come.
_GOOD, _BAD, _NEITHER, _OPEN = "✓", "✗", "‒", "…"  # noqa: RUF001 - a dash as wide as a figure
_SIGNS: Final = {
    states.SUCCESS: (_GOOD, "z4j-good"),
    states.FAILURE: (_BAD, "z4j-bad"),
    states.REJECTED: (_BAD, "z4j-bad"),
    states.REVOKED: (_NEITHER, "z4j-warn"),
    states.IGNORED: (_NEITHER, "z4j-quiet"),
}


class SchedulesPage(Page):
    """All schedules, those that are overdue first."""

    template_name = "admin/z4j_django/schedules.html"
    place = "schedules"

    def parts(self) -> Mapping[str, Part]:
        """The table."""
        return {"table": Part("admin/z4j_django/schedule_table.html", self._table, _EVERY)}

    def context(self) -> dict[str, Any]:
        """The title."""
        return {"title": _("Schedules"), "list_url": None}

    @property
    def _first(self) -> int:
        return whole_number(self.request.GET.get("from", ""), 5) or 0

    def _table(self) -> dict[str, Any]:
        now = timezone.now()
        first = self._first
        found = schedule_runs.page(settings.PROJECT, now, first)
        last = first + len(found.rows)
        task_url = self.model_admin.urls_of(TaskRecord)
        before = max(first - schedule_runs.LIMIT, 0)
        return {
            "rows": [self._row(one, now, task_url) for one in found.rows],
            "overdue": found.overdue,
            "beats": schedule_pages.pulse(self.request, now),
            "total": found.total,
            "before": self.model_admin.page_url("schedules", **{"from": before}) if first else "",
            "after": self.model_admin.page_url("schedules", **{"from": last})
            if last < found.total
            else "",
        }

    def _row(
        self, one: Schedule, now: datetime, task_url: Callable[[Any], str | None]
    ) -> dict[str, Any]:
        admin, entry = self.model_admin, one.entry
        address = admin.list_url(TaskRecord, q=str(terms.exactly("schedule", entry.name)))
        newest = one.runs[-1] if one.runs else None
        return {
            "name": admin.link(address, formatting.name(entry.name)),
            "task": formatting.name(entry.task),
            "rhythm": str(entry.recurrence)[:120],
            "runs": [_sign(run, task_url(run)) for run in one.runs],
            "outcome": formatting.pill(newest.state) if newest is not None else "",
            "sent": formatting.moment(one.last_sent),
            "due": formatting.moment(one.due(now)),
            "buttons": schedule_pages.of_row(
                admin, self.request, entry.name, is_kept=entry.is_kept
            ),
            "took": formatting.duration(one.runtime) if one.runtime is not None else "",
            "is_overdue": one.overdue is not None,
            "late": formatting.elapsed(one.overdue.since) if one.overdue is not None else "",
            "evidence": one.overdue.evidence if one.overdue is not None else "",
        }


def _sign(run: TaskRecord, url: str | None) -> SafeString:
    sign, kind = _SIGNS.get(run.state, (_OPEN, "z4j-quiet"))
    at = formatting.precise(run.sent_at) if run.sent_at else ""
    words = f"{run.state} {at}"
    if run.operation is not None:
        words = _("%(run)s, by hand") % {"run": words}
    return format_html(
        '<a class="z4j-sign {}" href="{}" title="{}" aria-label="{}">{}</a>',
        kind,
        url or "",
        words,
        words,
        sign,
    )
