"""Schedules: what beat has to send, what came of it lately, and what is overdue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from z4j_django.admin import formatting, links, schedule_pages
from z4j_django.admin.fragments import Part
from z4j_django.admin.pages import Page
from z4j_django.conf import settings
from z4j_django.models import TaskRecord
from z4j_django.queries import schedule_runs, schedules
from z4j_django.queries.filter import terms
from z4j_django.queries.schedule_runs import Schedule
from z4j_django.values import whole_number

#: Seconds from one refresh to the next.
_EVERY: Final = 15


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
            "off": self._off(task_url) if last >= found.total else [],
            "rows": [self._row(one, now, task_url) for one in found.rows],
            "overdue": found.overdue,
            "beats": schedule_pages.pulse(self.request, now),
            "total": found.total,
            "before": self.model_admin.page_url("schedules", **{"from": before}) if first else "",
            "after": self.model_admin.page_url("schedules", **{"from": last})
            if last < found.total
            else "",
        }

    def _off(self, task_url: Callable[[Any], str | None]) -> list[dict[str, Any]]:
        """Those that are switched off: on the last page, below what comes."""
        found = schedules.switched_off(schedule_runs.LIMIT)
        runs = schedule_runs.newest(settings.PROJECT, [one.name for one in found])
        return [
            {
                "name": self._name(one.name),
                "task": formatting.name(one.task),
                "rhythm": schedules.words(one)[:120],
                "runs": [formatting.sign(run, task_url(run)) for run in runs[one.name]],
                "sent": formatting.moment(one.last_run_at or _sent(runs[one.name])),
                "buttons": schedule_pages.of_row(
                    self.model_admin, self.request, one.name, is_kept=True, is_on=False
                ),
            }
            for one in found
        ]

    def _name(self, name: str) -> SafeString:
        """A schedule's name, leading to the tasks that it sent."""
        address = self.model_admin.list_url(TaskRecord, q=str(terms.exactly("schedule", name)))
        return links.linked(address, formatting.name(name))

    def _row(
        self, one: Schedule, now: datetime, task_url: Callable[[Any], str | None]
    ) -> dict[str, Any]:
        entry = one.entry
        newest = one.runs[-1] if one.runs else None
        return {
            "name": self._name(entry.name),
            "task": formatting.name(entry.task),
            "rhythm": str(entry.recurrence)[:120],
            "runs": [formatting.sign(run, task_url(run)) for run in one.runs],
            "outcome": formatting.pill(newest.state) if newest is not None else "",
            "sent": formatting.moment(one.last_sent),
            "due": formatting.due(one.due(now)),
            "buttons": schedule_pages.of_row(
                self.model_admin, self.request, entry.name, is_kept=entry.is_kept
            ),
            "took": formatting.duration(one.runtime) if one.runtime is not None else "",
            "is_overdue": one.overdue is not None,
            "late": formatting.elapsed(one.overdue.since) if one.overdue is not None else "",
            "evidence": one.overdue.evidence if one.overdue is not None else "",
        }


def _sent(runs: Sequence[TaskRecord]) -> datetime | None:
    """When the newest was sent: a schedule that is switched off has forgotten it."""
    return runs[-1].sent_at if runs else None
