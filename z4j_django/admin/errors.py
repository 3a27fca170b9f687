"""Errors: failures with one cause, and what is to be done about them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from z4j_django import permissions, verbs
from z4j_django.admin import error_pages, formatting, links, task_types, tracebacks
from z4j_django.admin.error_list import ErrorList, row
from z4j_django.admin.readonly import Fact, ReadOnlyAdmin, facts
from z4j_django.admin.trails import Button
from z4j_django.conf import settings
from z4j_django.models import ErrorGroup, TaskRecord
from z4j_django.operations import tallies
from z4j_django.queries import errors, lookups, tasks

#: Tasks that the page of an error lists.
TASKS = 10
#: Those of which it says what a retry would do; the preview looks at more.
TALLIED = 500
_DAY, _MONTH = 24, 30 * 24


@admin.register(ErrorGroup)
class ErrorAdmin(ReadOnlyAdmin):
    """The errors of the project, those that were seen last first; an address has the error's id."""

    detail_template = "admin/z4j_django/errorgroup/detail.html"
    list_template = "admin/z4j_django/errorgroup/list.html"

    def get_urls(self) -> list[Any]:
        """With the pages that act on errors, and what their failures have in common."""
        own = [
            *(
                self.page(f"{verb.name}/", verb.name, error_pages.ErrorPage, verb=verb)
                for verb in verbs.of("error")
            ),
            self.page("<str:object_id>/common/", "common", error_pages.CommonPage),
        ]
        return [*own, *super().get_urls()]

    def url(self, record: Any) -> str | None:
        """The page of an error, by its id; of any other record, by its key."""
        if isinstance(record, ErrorGroup):
            return self._reverse(ErrorGroup, "change", record.error_id)
        return super().url(record)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> ErrorGroup | None:
        """The error with this id, of whichever project."""
        if (found := errors.find(settings.PROJECT, object_id)) is not None:
            return found
        others = (errors.find(one, object_id) for one in lookups.projects(ErrorGroup))
        return next(filter(None, others), None)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Errors"),
            "is_popup": False,
            **ErrorList(self, request).context(),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.list_template, context)

    def detail(self, request: HttpRequest, record: ErrorGroup) -> dict[str, Any]:
        """The context of an error's page; its tasks want their own permission."""
        now = timezone.now()
        hours = errors.by_hour(record.project, [record], _MONTH, now)[record.error_id]
        found = errors.in_releases(record)
        context: dict[str, Any] = {
            "title": str(record),
            "kind": record.exception_type.rpartition(".")[2] or str(record),
            "badge": error_pages.pill(record),
            "type_url": self._type_url(request, record),
            "error": record,
            "standing": error_pages.standing(record),
            "count": formatting.count(record.count),
            "first": formatting.moment(record.first_seen),
            "last": formatting.moment(record.last_seen),
            **_lines(hours, now),
            "traceback": tracebacks.parts(record.traceback, record.name),
            "releases": [_release(one) for one in found],
            "releases_limit": errors.RELEASES_LIMIT if len(found) == errors.RELEASES_LIMIT else 0,
            "facts": self._facts(record),
            "verbs": self._verbs(request, record),
        }
        if self.may_view(request, TaskRecord):
            context |= self._tasks(request, record)
        return context

    def row(self, error: ErrorGroup) -> dict[str, Any]:
        """What every list of errors shows of one."""
        return row(self, error)

    def _tasks(self, request: HttpRequest, error: ErrorGroup) -> dict[str, Any]:
        search = f"error:{error.error_id}"
        newest = errors.newest_tasks(error, TALLIED, tallies.COLUMNS)
        rows = [tallies.Row(*row) for row in newest]
        tally = tallies.of_records(verbs.RETRY.name, error.project, rows)
        ids = [row.task_id for row in rows[:TASKS]]
        shown = tasks.by_ids(error.project, ids)
        return {
            "shows_tasks": True,
            "tasks": task_types.run_rows(self, [shown[one] for one in ids if one in shown]),
            "tasks_url": self.list_url(TaskRecord, q=search),
            "tally": tally,
            "recovered": formatting.count(tally.recovered),
            "tally_is_part": len(rows) == TALLIED,
            "retry": self._retry(request, search, error.project, tally),
            "common_url": self.page_url("common", error.error_id),
        }

    def _retry(
        self, request: HttpRequest, search: str, project: str, tally: tallies.Tally
    ) -> Button | None:
        """To the preview of a retry of all of them, for those who may."""
        address = links.bulk_url(request, verbs.RETRY.name, {"q": search, "project": project})
        if address is None:
            return None
        why = "" if tally.willing else _("None of them can be retried.")
        label = _("Retry %(count)s…") % {"count": formatting.count(tally.willing)}
        if tally.looked_at == TALLIED:
            label = _("Retry them…")
        return Button(label, address, why)

    def _type_url(self, request: HttpRequest, error: ErrorGroup) -> str | None:
        if not error.name or not self.may_view(request, TaskRecord):
            return None
        return task_types.type_url(self, name=error.name, project=error.project)

    def _verbs(self, request: HttpRequest, error: ErrorGroup) -> list[dict[str, Any]]:
        """What this user may say of it, as it stands."""
        return [
            {
                "verb": verb,
                "url": self.page_url(verb.name, id=error.error_id),
                "at_once": verb is not verbs.IGNORE_ERRORS,
            }
            for verb in verbs.of("error")
            if permissions.can(request.user, verb.name) and error_pages.may_be_said(verb, error)
        ]

    def _facts(self, error: ErrorGroup) -> list[Fact]:
        moment = formatting.full_moment
        until = error.ignored_until
        more = error.ignored_count
        return facts(
            (
                _("Exception"),
                formatting.plain(error.exception_type) if error.exception_type else "",
            ),
            (_("Id"), formatting.missing(error.error_id)),
            (_("Resolved"), moment(error.resolved_at) if error.resolved_at else ""),
            (_("Resolved in"), formatting.plain(error.resolved_in) if error.resolved_in else ""),
            (_("Came back"), moment(error.regressed_at) if error.regressed_at else ""),
            (_("Ignored until"), moment(until) if until else ""),
            (_("Ignored until its count is"), "" if more is None else f"{more:,}"),
            (_("Project"), "" if error.project == "default" else error.project),
        )


def _lines(hours: list[int], now: datetime) -> dict[str, Any]:
    """How often it was seen in each hour of a day, and in each day of a month."""
    day = hours[-_DAY:]
    month = [sum(hours[at : at + _DAY]) for at in range(0, _MONTH, _DAY)]
    return {
        "day": day,
        "month": month,
        "day_count": sum(day),
        "month_count": sum(hours),
        "day_line": _bars(day, timedelta(hours=1), now, _("Failures in each of 24 hours")),
        "month_line": _bars(month, timedelta(days=1), now, _("Failures in each of 30 days")),
    }


def _bars(line: list[int], step: timedelta, now: datetime, label: str) -> SafeString:
    begins = (now - step * back for back in range(len(line) - 1, -1, -1))
    titles = [
        _("%(count)s from %(moment)s on")
        % {"count": formatting.count(count), "moment": date_format(_begin(at), "j M H:i")}
        for count, at in zip(line, begins, strict=True)
    ]
    words = _("%(label)s: %(count)s in all, %(most)s at most") % {
        "label": label,
        "count": formatting.count(sum(line)),
        "most": formatting.count(max(line)),
    }
    return formatting.bars(line, titles, words, "failed")


def _begin(at: datetime) -> datetime:
    whole = at.replace(minute=0, second=0, microsecond=0)
    return timezone.localtime(whole) if timezone.is_aware(whole) else whole


def _release(one: errors.InRelease) -> dict[str, Any]:
    return {
        "name": one.name,
        "count": formatting.count(one.count),
        "first": formatting.moment(one.first_seen),
        "last": formatting.moment(one.last_seen),
    }
