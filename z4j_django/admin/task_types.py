"""Task types: all names of tasks with what happened to each, and one of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django import permissions
from z4j_django.admin import charts, formatting, fragments, worker_pages
from z4j_django.admin.pages import Page
from z4j_django.conf import settings
from z4j_django.counters import COUNTERS
from z4j_django.models import ErrorGroup, TaskRecord, WorkerRecord
from z4j_django.queries import (
    errors,
    limits,
    schedules,
    statistics,
    status,
    tasks,
    time_ranges,
    unfinished,
)
from z4j_django.queries.filter import words
from z4j_django.queries.statistics import Counted, Point, TaskType
from z4j_django.values import INTERNAL, OTHER, is_storable, whole_number

#: Names of one page, and errors and schedules of one name.
PER_PAGE: Final = 50
_ERRORS: Final = 10
_SCHEDULES: Final = 20
#: Seconds of a range, and with what it is compared.
RANGES: Final = {
    "1h": (3_600, "hour"),
    "24h": (86_400, "day"),
    "7d": (7 * 86_400, "week"),
    "30d": (30 * 86_400, ""),
    "90d": (90 * 86_400, ""),
}
_RANGE_WORDS: Final = {
    "1h": gettext_lazy("1 hour"),
    "24h": gettext_lazy("24 hours"),
    "7d": gettext_lazy("7 days"),
    "30d": gettext_lazy("30 days"),
    "90d": gettext_lazy("90 days"),
}


@dataclass
class TypeRow:
    """A name of the list.

    Attributes:
        type: What happened to its tasks.
        waiting: How many of its tasks wait.
        running: How many run.
    """

    type: TaskType
    waiting: int = 0
    running: int = 0


#: By what the list may be ordered: numbers come the greatest first.
_PLACES: Final[dict[str, Callable[[TypeRow], float]]] = {
    "started": lambda one: one.type.counters["started"],
    "failed": lambda one: one.type.counters["failed"],
    "failure_share": lambda one: one.type.failure_share or 0.0,
    "p95": lambda one: one.type.runtime["p95"] or 0.0,
    "waiting": lambda one: one.waiting,
    "running": lambda one: one.running,
    "name": lambda one: 0.0,
}


#: The columns of the list, in their order.
_COLUMNS: Final = {
    "name": gettext_lazy("Task"),
    "started": gettext_lazy("Rate"),
    "failed": gettext_lazy("Failed"),
    "failure_share": gettext_lazy("Share failed"),
    "p95": gettext_lazy("Run p95"),
    "waiting": gettext_lazy("Waiting"),
    "running": gettext_lazy("Running"),
}


class TypesPage(Page):
    """Pages of task types: the range and the project, which an address names."""

    place = "task-types"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Take what means something; what does not is left out."""
        super().setup(request, *args, **kwargs)
        given = request.GET
        self.range = given["range"] if given.get("range") in RANGES else next(iter(RANGES))
        self.project = _text(given.get("project", "")) or settings.PROJECT
        self.until = int(time.time())
        self.seconds, self.before = RANGES[self.range]

    @property
    def within(self) -> time_ranges.Range:
        """The range of a table."""
        return time_ranges.table_range(self.until - self.seconds, self.until)

    def ranges(self, link: Callable[..., str]) -> list[dict[str, Any]]:
        """The ranges on offer."""
        return [
            {"label": label, "url": link(range=name), "chosen": name == self.range}
            for name, label in _RANGE_WORDS.items()
        ]

    def figures(self, found: Counted, earlier: Counted | None) -> dict[str, Any]:
        """What all tables of counts say of one line."""
        share, before = found.failure_share, earlier.failure_share if earlier else None
        return {
            "counters": found.counters,
            "started": formatting.count(found.counters["started"]),
            "failed": formatting.count(found.counters["failed"]),
            "rate": rate(found),
            "share": formatting.share(share, before),
            "before": _differs(share, before),
            "run": {name: formatting.duration(one) for name, one in found.runtime.items()},
            "wait": {name: formatting.duration(one) for name, one in found.wait.items()},
        }


class TaskTypesPage(TypesPage):
    """All names, ordered by any column."""

    template_name = "admin/z4j_django/task_types.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """With the order, the search and the begin of the page."""
        super().setup(request, *args, **kwargs)
        given = request.GET
        self.order = given["o"] if given.get("o") in _PLACES else next(iter(_PLACES))
        self.sought = _text(given.get("q", ""))
        self.start = whole_number(given.get("from", ""), 7) or 0

    def context(self) -> dict[str, Any]:
        """The list."""
        found, counts = self._found()
        page = found[self.start : self.start + PER_PAGE]
        self._fill([one.type for one in page])
        end = self.start + PER_PAGE
        return {
            "title": _("Task types"),
            "rows": [self._row(one) for one in page],
            "total": len(found),
            "first": formatting.count(self.start + 1),
            "last": formatting.count(self.start + len(page)),
            "total_words": formatting.count(len(found)),
            "order": self.order,
            "sought": self.sought,
            "range": self.range,
            "ranges": self.ranges(self._link),
            "columns": [
                {"label": label, "url": self._link(o=name), "chosen": name == self.order}
                for name, label in _COLUMNS.items()
            ],
            "compares": bool(self.before),
            "more_waiting": counts.more_waiting,
            "looked_at": formatting.count(unfinished.LOOK),
            "next_url": self._link(**{"from": end}) if end < len(found) else "",
            "previous_url": self._previous(),
            "project": self.project,
            "other_project": self.project if self.project != settings.PROJECT else "",
        }

    def _found(self) -> tuple[list[TypeRow], unfinished.Unfinished]:
        """All names that did anything, or of which something waits or runs; in their order."""
        counted = statistics.task_types(self.project, self.within)
        rows = {one.name: TypeRow(one) for one in counted}
        counts = unfinished.by_name(self.project)
        for name in sorted({*counts.waiting, *counts.running} - {""}):
            if name not in rows and not name.startswith(INTERNAL):
                none = dict.fromkeys(COUNTERS, 0)
                rows[name] = TypeRow(TaskType(none, self.within.seconds, name=name))
        for name, row in rows.items():
            row.waiting = counts.waiting.get(name, 0)
            row.running = counts.running.get(name, 0)
        sought = self.sought.casefold()
        found = [row for name, row in rows.items() if sought in name.casefold()]
        if self.order == "p95":
            statistics.fill_runs(self.project, self.within, [one.type for one in found])
        place = _PLACES[self.order]
        return sorted(found, key=lambda one: (-place(one), one.type.name)), counts

    def _fill(self, page: list[TaskType]) -> None:
        """What is said only of the names of the page; some of it the order has read already."""
        if self.order != "p95":
            statistics.fill_runs(self.project, self.within, page)
        statistics.compare(self.project, self.within, page, self.before)

    def _row(self, one: TypeRow) -> dict[str, Any]:
        name = one.type.name
        query = {"name": name, "range": self.range, "project": self.project}
        tasks_of = f"name:{words.quote(name)}"
        return {
            "name": name,
            "shown": _("all other names") if name == OTHER else formatting.name(name),
            "url": type_url(self.model_admin, **query) if name != OTHER else None,
            "waiting": one.waiting,
            "waiting_words": formatting.count(one.waiting),
            "waiting_url": self.model_admin.list_url(
                TaskRecord, q=f"{tasks_of} state:PENDING,RECEIVED,RETRY"
            ),
            "running": one.running,
            "running_words": formatting.count(one.running),
            "running_url": self.model_admin.list_url(TaskRecord, q=f"{tasks_of} state:STARTED"),
            "failed_url": self.model_admin.list_url(
                TaskRecord, q=f"{tasks_of} state:FAILURE finished:<{self.range}"
            ),
            **self.figures(one.type, one.type.earlier),
        }

    def _previous(self) -> str:
        if not self.start:
            return ""
        start = max(self.start - PER_PAGE, 0)
        return self._link(**({"from": start} if start else {}))

    def _link(self, **changed: Any) -> str:
        given = {"range": self.range, "o": self.order, "q": self.sought, **changed}
        if self.project != settings.PROJECT:
            given["project"] = self.project
        return f"?{urlencode({key: value for key, value in given.items() if value != ''})}"


class TaskTypePage(TypesPage):
    """One name: over time, by queue, with its errors, its slowest runs and its schedules."""

    template_name = "admin/z4j_django/task_type.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page, or the numbers of one of its charts."""
        self.name = _text(request.GET.get("name", "")).rstrip(" ")
        chart = charts.CHARTS.get(request.GET.get("chart", ""))
        if chart is None or not self.name:
            return super().get(request, *args, **kwargs)
        numbers = {
            **chart(self._points()),
            "marks": charts.marks(self.project, self.until - self.seconds),
        }
        return fragments.revalidated(request, JsonResponse(numbers), json.dumps(numbers))

    def context(self) -> dict[str, Any]:
        """The page."""
        if not self.name:
            raise Http404(_("No name was given."))
        found, queues = statistics.by_queue(self.project, self.within, self.name, self.before)
        counts = unfinished.by_name(self.project)
        waiting, running = (one.get(self.name, 0) for one in (counts.waiting, counts.running))
        is_there = any(found.counters.values()) or waiting or running
        if not is_there and not statistics.is_known(self.project, self.name):
            raise Http404(_("No task of this name was counted."))
        points = self._points()
        return {
            "title": self.name,
            "name": self.name,
            "range": self.range,
            "ranges": self.ranges(self._link),
            "waiting": waiting,
            "running": running,
            "waiting_words": formatting.count(waiting),
            "running_words": formatting.count(running),
            "more_waiting": counts.more_waiting,
            "series": charts.outcomes(points),
            "charts": {name: self._link(chart=name) for name in charts.CHARTS},
            "points": [self._point(one) for one in points if any(one.counters.values())],
            "runs_histogram": charts.histogram(found.runs, _("Run times"), "run"),
            "waits_histogram": charts.histogram(found.waits, _("Waits"), "wait"),
            "queues": [{"queue": one.queue, **self.figures(one, None)} for one in queues],
            "tasks_url": self.model_admin.list_url(TaskRecord, q=f"name:{words.quote(self.name)}"),
            "runs": run_rows(self.model_admin, tasks.slowest(self.project, self.name)),
            "runs_limit": formatting.count(tasks.RUNS_LIMIT),
            **self.figures(found, found.earlier),
            "limits": self._limits(),
            "of_task": True,
            **self._errors(self.request),
            **self._schedules(self.request),
        }

    def _limits(self) -> list[Any]:
        if not self.model_admin.may_view(self.request, WorkerRecord):
            return []
        found = limits.of_task(self.project, self.name)
        return worker_pages.limit_rows(self.model_admin, self.request, found)

    def _points(self) -> list[Point]:
        within = time_ranges.series_range(self.until - self.seconds, self.until)
        return statistics.series(self.project, within, self.name)

    def _point(self, one: Point) -> dict[str, Any]:
        return {
            "at": formatting.full_moment(datetime.fromtimestamp(one.at, UTC)),
            **self.figures(one, None),
        }

    def _errors(self, request: HttpRequest) -> dict[str, Any]:
        if not self.model_admin.may_view(request, ErrorGroup):
            return {}
        admin = self.model_admin.admin_site.get_model_admin(ErrorGroup)
        found = errors.of_name(self.project, self.name, _ERRORS)
        return {
            "shows_errors": True,
            "errors": [admin.row(one) for one in found],
            "errors_url": admin.list_url(ErrorGroup, name=self.name, state="all"),
        }

    def _schedules(self, request: HttpRequest) -> dict[str, Any]:
        """Those of django-celery-beat, by that app's own permission."""
        view = f"{schedules.APP}.periodictask"
        if not schedules.is_installed() or not permissions.can_view(request.user, view):
            return {}
        found = schedules.of_task(self.name, _SCHEDULES)
        return {
            "shows_schedules": True,
            "schedules": [
                {
                    "name": one.name,
                    "words": schedules.words(one),
                    "enabled": one.enabled,
                    "last": formatting.moment(one.last_run_at),
                    "tasks_url": self.model_admin.list_url(
                        TaskRecord, q=f"schedule:{words.quote(one.name)}"
                    ),
                }
                for one in found
            ],
        }

    def _link(self, **changed: Any) -> str:
        given = {"name": self.name, "range": self.range, **changed}
        if self.project != settings.PROJECT:
            given["project"] = self.project
        return f"?{urlencode(given)}"


def run_rows(admin: Any, found: Iterable[TaskRecord]) -> list[dict[str, Any]]:
    """Lines of a table of tasks of one name, by their ids."""
    rows = list(found)
    status.tell(rows)
    return [
        {
            "task": admin.link(admin.url(one), formatting.identifier(one.task_id)),
            "standing": formatting.pill(one.state, formatting.status(one)),
            "sent": formatting.moment(one.sent_at),
            "runtime": formatting.runtime(one),
            "worker": formatting.name(one.worker),
        }
        for one in rows
    ]


def type_url(admin: Any, **query: str) -> str | None:
    """The page of one name; none where there is none."""
    if query.get("project") == settings.PROJECT:
        del query["project"]
    address: str | None = admin.page_of(TaskRecord, page="type")
    return f"{address}?{urlencode(query)}" if address else None


def rate(found: Counted) -> str:
    """How many runs began in the time that a person counts in."""
    for seconds, unit in ((60, _("min")), (3_600, _("h")), (86_400, _("d"))):
        number = found.rate * seconds
        if number >= 1 or (seconds == 86_400 and number):
            return f"{number:,.0f}/{unit}" if number >= 10 else f"{number:.1f}/{unit}"
    return "0"


def _differs(share: float | None, before: float | None) -> str:
    """What a share was before, where that is not what it is now."""
    shown = "" if before is None else formatting.percent(before)
    return "" if share is None or shown == formatting.percent(share) else shown


def _text(given: str) -> str:
    """A text that a record can have; none where it can't."""
    return given if is_storable(given) else ""
