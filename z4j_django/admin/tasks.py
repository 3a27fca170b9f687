"""The list of tasks, and one task with all that happened to it."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from z4j_django import permissions, states, verbs
from z4j_django.admin import (
    formatting,
    fragments,
    links,
    saved_views,
    schedule_pages,
    searching,
    task_pages,
    task_types,
    workflow_pages,
)
from z4j_django.admin.acting import ActingAdmin, Action, keys
from z4j_django.admin.bulk_page import BulkPage
from z4j_django.admin.filters import TASK_FILTERS
from z4j_django.admin.forecasts import Forecast
from z4j_django.admin.fragments import Part
from z4j_django.admin.readonly import UNNAMED
from z4j_django.admin.schedules import SchedulesPage
from z4j_django.admin.stack_page import StackPage
from z4j_django.admin.task_detail import TaskDetail
from z4j_django.admin.task_list import TaskChangeList
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import status, tasks


@admin.register(TaskRecord)
class TaskAdmin(ActingAdmin):
    """Every task, newest first."""

    list_display_links = None
    list_filter = TASK_FILTERS
    search_fields = ("task_id", "name")
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
            self.page("types/", "types", task_types.TaskTypesPage),
            self.page("types/one/", "type", task_types.TaskTypePage),
            self.page("<str:object_id>/edit/", "edit", task_pages.EditPage),
            self.page("<str:object_id>/workflow/", "workflow", workflow_pages.WorkflowPage),
            self.page("<str:object_id>/stack/", "stack", StackPage),
            self.page("schedules/", "schedules", SchedulesPage),
            *schedule_pages.urls(self),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with its views, and what can be done to the tasks that are chosen."""
        allowed = (verb for verb in verbs.of("task") if permissions.can(request.user, verb.name))
        context = {
            "terms": filters.TERMS.values(),
            "suggest_url": self.page_url("suggest"),
            "offered": [
                {
                    "name": f"{verb.name}_chosen",
                    "label": f"{_(verb.label)}…",
                    "dangerous": verb.dangerous,
                }
                for verb in allowed
            ],
            "views": saved_views.links(self, request),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def offered(self) -> list[Action]:
        """Each verb that acts on tasks."""
        return [
            Action(
                f"{verb.name}_chosen",
                _("%(verb)s selected tasks…") % {"verb": _(verb.label)},
                verb.name,
                verb.name,
            )
            for verb in verbs.of("task")
        ]

    def bulk_link(self, request: HttpRequest, query: dict[str, Any]) -> str:
        """The page that acts on all that the list's filters find, for those who may."""
        if not query:
            return ""
        found = (links.bulk_url(request, verb.name, query) for verb in verbs.in_bulk())
        return next(filter(None, found), "")

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
        return tasks.listed(queryset)

    def decorate(self, request: HttpRequest, rows: list[TaskRecord]) -> list[TaskRecord]:
        """With what their states do not say."""
        status.tell(rows)
        return rows

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> TaskRecord | None:
        """A task with what its page says of it."""
        wanted = keys([object_id])
        return tasks.detailed(self.get_queryset(request)).filter(pk__in=wanted).first()

    def parts(self, request: HttpRequest, record: TaskRecord) -> dict[str, Part]:
        """All of it is one part; it goes on changing as long as the task does."""
        shown = TaskDetail(self, request, record)
        # The result backend is asked only where nobody waits for the page.
        is_alone = fragments.PART in request.GET
        every = 0 if record.state in states.FINISHED else 5
        context = partial(shown.context, with_progress=is_alone)
        return {"task": Part("admin/z4j_django/taskrecord/body.html", context, every)}

    def detail(self, request: HttpRequest, record: TaskRecord) -> dict[str, Any]:
        """What stands above the part."""
        return {"title": record.name or str(UNNAMED), "task": record}
