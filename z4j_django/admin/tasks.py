"""The list of tasks, and one task with all that happened to it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode

from z4j_django import permissions, states, verbs
from z4j_django.admin import formatting, searching, task_pages, task_types, trails
from z4j_django.admin.acting import ActingAdmin, Action
from z4j_django.admin.bulk_page import BulkPage
from z4j_django.admin.filters import TASK_FILTERS
from z4j_django.admin.forecasts import Forecast
from z4j_django.admin.readonly import UNNAMED, Fact, facts
from z4j_django.admin.task_list import TaskChangeList
from z4j_django.models import GroupRecord, TaskRecord, WorkerRecord
from z4j_django.queries import events, status, tasks, workers
from z4j_django.queries import filter as filters

#: Shown under the search box.
EXAMPLES = ("state:FAILURE", "name:shop.*", "sent:<2h", "runtime:>5s", "kwargs.user_id:42")

_WAIT = {"sent": "Queue wait", "eta": "Wait since ETA", "received": "Wait since last receipt"}


@admin.register(TaskRecord)
class TaskAdmin(ActingAdmin):
    """Every task, newest first."""

    list_display = (
        "shown_state",
        "shown_name",
        "place",
        "sent",
        "started",
        "finished",
        "shown_runtime",
    )
    list_display_links = None
    list_filter = TASK_FILTERS
    search_fields = ("task_id", "name")
    search_help_text = format_html(
        "Words are looked for in ids (whole, or from their first four characters) and in names "
        "(from the beginning, or from any of their dots). Terms narrow it down: {}. A - before one "
        "leaves out what it finds.",
        format_html_join(", ", "<code>{}</code>", ((one,) for one in EXAMPLES)),
    )
    detail_template = "admin/z4j_django/taskrecord/detail.html"

    def get_urls(self) -> list[Any]:
        """With the pages that act on tasks."""
        own = [
            *(
                self.page(f"{verb.name}/", verb.name, task_pages.TaskPage, verb=verb)
                for verb in verbs.of("task")
            ),
            *(
                self.page(f"bulk/{verb.name}/", f"bulk_{verb.name}", BulkPage, verb=verb)
                for verb in verbs.in_bulk()
            ),
            self.page("suggest/", "suggest", searching.SuggestPage),
            self.page("<str:object_id>/edit/", "edit", task_pages.EditPage),
            self.page("types/", "types", task_types.TaskTypesPage),
            self.page("types/one/", "type", task_types.TaskTypePage),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with the terms of the filter."""
        context = {"terms": filters.TERMS.values()}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def offered(self) -> list[Action]:
        """Each verb that acts on tasks."""
        return [
            Action(f"{verb.name}_chosen", f"{verb.label} selected tasks…", verb.name, verb.name)
            for verb in verbs.of("task")
        ]

    def bulk_link(self, request: HttpRequest, query: dict[str, Any]) -> str:
        """The page that acts on all that the list's filters find, for those who may."""
        if not query or not permissions.can(request.user, "bulk"):
            return ""
        allowed = (one.name for one in verbs.in_bulk() if permissions.can(request.user, one.name))
        verb = next(allowed, "")
        address = self.page_url(f"bulk_{verb}") if verb else None
        return f"{address}?{urlencode(query, doseq=True)}" if address else ""

    def forecast_rows(self, forecasts: list[Forecast]) -> list[dict[str, Any]]:
        """Lines for a table of what will happen."""
        rows = self.task_rows(one.record for one in forecasts)
        return [
            {
                "badge": row.badge,
                "task": formatting.stacked(row.link, row.identifier),
                "sent": row.sent,
                "queue": formatting.text(one.record.queue),
                "words": one.words,
                "refused": one.refused,
            }
            for row, one in zip(rows, forecasts, strict=True)
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TaskChangeList]:
        """The list that a filter narrows."""
        return TaskChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[TaskRecord], search_term: str
    ) -> tuple[QuerySet[TaskRecord], bool]:
        """What words find, for whoever chooses a task elsewhere; the list has its own filter."""
        return tasks.search(queryset, search_term), False

    def for_list(self, queryset: QuerySet[TaskRecord]) -> QuerySet[TaskRecord]:
        """Without arguments, results and tracebacks."""
        return tasks.summaries(queryset)

    def decorate(self, rows: list[TaskRecord]) -> list[TaskRecord]:
        """With what their states do not say."""
        status.tell(rows)
        return rows

    @admin.display(description="state")
    def shown_state(self, task: TaskRecord) -> str:
        """The coloured state, above what it does not say."""
        return formatting.standing(task)

    @admin.display(description="task")
    def shown_name(self, task: TaskRecord) -> str:
        """The name, leading to the task's page, above the short id."""
        link = self.link(self.url(task), formatting.text(task.name or UNNAMED))
        return formatting.stacked(link, formatting.identifier(task.task_id))

    @admin.display(description="queue, worker")
    def place(self, task: TaskRecord) -> str:
        """The queue above the worker."""
        return formatting.stacked(formatting.text(task.queue), formatting.text(task.worker))

    @admin.display(description="sent")
    def sent(self, task: TaskRecord) -> str:
        """When it was published first."""
        return formatting.moment(task.sent_at)

    @admin.display(description="started")
    def started(self, task: TaskRecord) -> str:
        """When the newest attempt began."""
        return formatting.moment(task.started_at)

    @admin.display(description="finished")
    def finished(self, task: TaskRecord) -> str:
        """When the newest attempt ended."""
        return formatting.moment(task.finished_at)

    @admin.display(description="runtime")
    def shown_runtime(self, task: TaskRecord) -> str:
        """How long the newest attempt ran."""
        return formatting.runtime(task)

    def detail(self, request: HttpRequest, record: TaskRecord) -> dict[str, Any]:
        """The context of a task's page."""
        timeline = events.timeline(record)
        family = tasks.family(record)
        status.tell([record, *family.children])
        return {
            "title": record.name or UNNAMED,
            "task": record,
            "badge": formatting.badge(record.state),
            "status": record.status,
            **self._times(record),
            "facts": self._facts(request, record),
            "payload": _payload(record),
            "error": _error(record),
            "timeline": [_timeline_row(entry) for entry in timeline.entries],
            "timeline_limit": str(events.TIMELINE_LIMIT) if timeline.more else "",
            **self._family(request, record, family),
            "buttons": trails.task_buttons(self, request, record),
            **trails.line(self, request, record),
            **trails.trail(self, request, record),
        }

    def _times(self, task: TaskRecord) -> dict[str, Any]:
        pace = tasks.pace(task, timezone.now())
        moments = (
            ("Sent", task.sent_at),
            ("Received", task.received_at),
            ("Started", task.started_at),
            ("Finished", task.finished_at),
        )
        wait = formatting.duration(pace.wait)
        run = formatting.duration(pace.run)
        return {
            "bar": formatting.pace_bar(pace.wait, pace.run),
            "wait": f"{wait} so far" if pace.ongoing == "wait" else wait,
            "wait_label": _WAIT[pace.since],
            "run": f"{run} so far" if pace.ongoing == "run" else run,
            "times": facts(
                *((label, formatting.full_moment(value)) for label, value in moments if value)
            ),
        }

    def _facts(self, request: HttpRequest, task: TaskRecord) -> list[Fact]:
        return facts(
            ("Queue", task.queue),
            ("Exchange", task.exchange),
            ("Routing key", task.routing_key),
            ("Priority", "" if task.priority is None else str(task.priority)),
            ("Worker", self._worker(request, task) if task.worker else ""),
            ("Process", str(task.pid) if task.pid else ""),
            ("Retries", str(task.retries)),
            ("Deliveries", str(task.deliveries)),
            ("ETA", formatting.full_moment(task.eta) if task.eta else ""),
            ("Expires", formatting.full_moment(task.expires) if task.expires else ""),
            ("Time limit", formatting.duration(task.time_limit)),
            ("Schedule", task.schedule),
            ("Published by", task.origin),
            ("Project", "" if task.project == "default" else task.project),
        )

    def _worker(self, request: HttpRequest, task: TaskRecord) -> str:
        record = workers.find(task.project, task.worker)
        if record is None or not self.may_view(request, WorkerRecord):
            return formatting.plain(task.worker)
        return self.link(self.url(record), task.worker)

    def _family(
        self, request: HttpRequest, task: TaskRecord, family: tasks.Family
    ) -> dict[str, Any]:
        relatives = (
            ("Parent", family.parent),
            ("Root", family.root),
            ("Chord body", family.chord_body),
        )
        lines: list[tuple[str, str]] = [
            (label, self.relative(one.task_id, one.record)) for label, one in relatives if one
        ]
        for one in family.next_steps:
            label = "Next step, never sent" if one.never_sent else "Next step"
            lines.append((label, self.relative(one.task_id, one.record, one.name)))
        if family.chord_group:
            link = self._group(request, family.chord_group, family.chord_group.group_id)
            lines.append(("Chord body", link))
        if family.group_id:
            lines.append(("Group", self._group(request, family.group, family.group_id)))
        if task.group_index is not None:
            lines.append(("Place in group", str(task.group_index)))
        if family.body_of:
            link = self._group(request, family.body_of, family.body_of.group_id)
            lines.append(("Body of chord", link))
        return {
            "family": facts(*lines),
            "children": self.task_rows(family.children),
            "children_limit": str(tasks.CHILDREN_LIMIT) if family.more_children else "",
        }

    def _group(self, request: HttpRequest, group: GroupRecord | None, group_id: str) -> str:
        if group is None:
            return formatting.missing(group_id)
        if not self.may_view(request, GroupRecord):
            return formatting.plain(group_id)
        return self.link(self.url(group), f"{group.kind} {group_id}")


def _payload(task: TaskRecord) -> list[Fact]:
    has_result = task.result is not None or task.state == states.SUCCESS
    blocks = (
        ("Arguments", task.args, task.args is not None),
        ("Keyword arguments", task.kwargs, task.kwargs is not None),
        ("Result", task.result, has_result),
    )
    return [Fact(label, formatting.pretty_json(value)) for label, value, known in blocks if known]


def _error(task: TaskRecord) -> dict[str, str] | None:
    if not (task.exception_type or task.exception_message or task.traceback):
        return None
    return {
        "type": task.exception_type,
        "message": formatting.bounded(task.exception_message),
        "traceback": formatting.bounded(task.traceback),
    }


def _timeline_row(entry: events.TimelineEntry) -> dict[str, str]:
    event = entry.event
    delta = ""
    if entry.since_previous is not None:
        delta = f"+{formatting.duration(entry.since_previous)}"
    return {
        "kind": event.kind,
        "at": formatting.full_moment(event.at),
        "delta": delta,
        "worker": formatting.text(event.worker),
        "pid": "" if event.pid is None else str(event.pid),
        "retries": str(event.retries),
        "detail": formatting.bounded(event.detail),
    }
