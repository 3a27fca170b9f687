"""What the admin pages share: they show and never change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import DEFAULT_DB_ALIAS, router, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import View

from z4j_django.admin import formatting, fragments
from z4j_django.admin.changelist import KeysetChangeList
from z4j_django.admin.fragments import Part
from z4j_django.models import Operation, TaskRecord
from z4j_django.queries import index_ranges, status
from z4j_django.queries.index_ranges import IndexRange

#: Stands for the name of a task of which only an id is known.
UNNAMED = gettext_lazy("unnamed task")


@dataclass(frozen=True)
class Fact:
    """A line of a detail page; ``value`` is safe HTML or a string to be escaped."""

    label: str
    value: str


@dataclass(frozen=True)
class TaskRow:
    """A line of a table of tasks."""

    badge: SafeString
    link: SafeString
    identifier: SafeString
    sent: str
    runtime: str
    worker: str
    index: str


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """A model that may be looked at, by Django's own view permission, and nothing else."""

    actions = None
    # The admin takes longer to write a row down than the database to find it.
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    detail_template = ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """No one adds: the records come from the workers."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """No one changes what happened."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """No one deletes by hand."""
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        """The list that pages by key."""
        return KeysetChangeList

    def for_list(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """``queryset`` as the list needs it."""
        return queryset

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """What a search finds; Django's own would look into the middle of every value."""
        return index_ranges.matching(queryset, self.search_ranges(queryset, search_term)), False

    def search_ranges(self, queryset: QuerySet[Any], text: str) -> list[IndexRange]:
        """The index ranges that have what a search finds; all rows for an empty text."""
        return [IndexRange()]

    def bulk_link(self, request: HttpRequest, query: dict[str, Any]) -> str:
        """Where to act on all that the filters in ``query`` find; empty where nowhere."""
        return ""

    def decorate(self, request: HttpRequest, rows: list[Any]) -> list[Any]:
        """The rows of one page, with what the columns need besides."""
        return rows

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, under the plain plural for a title."""
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The detail page: no form, so no POST."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        record = self.get_object(request, unquote(object_id))
        if record is None:
            return self._gone(request, object_id)
        request.current_app = self.admin_site.name
        parts = self.parts(request, record)
        part = fragments.answer(request, parts)
        if part is not None:
            return part
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "list_url": self.list_url(type(record)),
            "is_popup": False,
            "parts": fragments.whole(request, parts),
            "still": not any(part.every for part in parts.values()),
            **self.detail(request, record),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.detail_template, context)

    def _gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        shown = unquote(object_id)[:100]
        words = _("There is no %(what)s “%(id)s” on record.")
        words %= {"what": self.opts.verbose_name, "id": shown}
        self.message_user(request, words, messages.WARNING)
        return HttpResponseRedirect(self.list_url(self.model) or reverse("admin:index"))

    def detail(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        """The context of the detail page of ``record``."""
        raise NotImplementedError

    def parts(self, request: HttpRequest, record: Any) -> Mapping[str, Part]:
        """The parts of the detail page that refresh by themselves: ``{{ parts.name }}``."""
        return {}

    def page(self, route: str, name: str, view: type[View], **options: Any) -> URLPattern:
        """The URL of a page of this model."""
        handler = view.as_view(model_admin=self, **options)
        full = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
        # What is told anew every few seconds says itself for how long it may be kept.
        wrapped = fragments.unchanged_first(self.admin_site.admin_view(handler, cacheable=True))
        # Under ATOMIC_REQUESTS an error afterwards would undo the trail of what was done.
        for alias in {DEFAULT_DB_ALIAS, router.db_for_write(Operation)}:
            wrapped = transaction.non_atomic_requests(using=alias)(wrapped)
        return path(route, wrapped, name=full)

    def page_url(self, page: str, *args: Any, **query: Any) -> str | None:
        """The address of one of this model's pages, or None where this site has none."""
        address = self._reverse(self.model, page, *args)
        return f"{address}?{urlencode(query)}" if address and query else address

    def may_view(self, request: HttpRequest, model: type[Model]) -> bool:
        """Whether this site shows ``model`` to this user: related records ask here first."""
        if not self.admin_site.is_registered(model):
            return False
        return self.admin_site.get_model_admin(model).has_view_permission(request)

    def url(self, record: Model) -> str | None:
        """The detail page of ``record``, or None where this site has none."""
        return self._reverse(type(record), "change", record.pk)

    def urls_of(self, model: type[Model]) -> Callable[[Model], str | None]:
        """Tells the detail pages of many records; to find out each anew takes its time."""
        before, _, after = (self._reverse(model, "change", 0) or "").rpartition("/0/")
        return lambda record: f"{before}/{record.pk}/{after}" if before else None

    def list_url(self, model: type[Model], **filters: str) -> str | None:
        """The list of ``model``, filtered, or None where this site has none."""
        address = self._reverse(model, "changelist")
        return f"{address}?{urlencode(filters)}" if address and filters else address

    def page_of(self, model: type[Model], *args: Any, page: str = "change") -> str | None:
        """The page of a record of which only the key is known, or None where this site has none."""
        return self._reverse(model, page, *args)

    def _reverse(self, model: type[Model], page: str, *args: Any) -> str | None:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
        try:
            return reverse(name, args=args, current_app=self.admin_site.name)
        except NoReverseMatch:
            return None

    def link(self, address: str | None, shown: str) -> SafeString:
        """``shown`` as a link, or as it is where there is no address."""
        if address is None:
            return format_html("{}", shown)
        return format_html('<a href="{}">{}</a>', address, shown)

    def relative(
        self,
        task_id: str,
        record: TaskRecord | None,
        name: str = "",
        badge: Callable[[TaskRecord], SafeString] | None = None,
    ) -> SafeString:
        """A task that another record names, on one line.

        Args:
            task_id: Its id.
            record: What is on record of it.
            name: What the other record calls it.
            badge: How it stands; by default its state.
        """
        if record is None:
            parts = [formatting.plain(name)] if name else []
            return formatting.joined(*parts, formatting.missing(task_id))
        return formatting.joined(
            badge(record) if badge is not None else formatting.badge(record.state),
            self.link(self.url(record), record.name or name or str(UNNAMED)),
            formatting.identifier(task_id),
        )

    def task_rows(self, tasks: Iterable[TaskRecord]) -> list[TaskRow]:
        """Lines for a table of tasks."""
        rows = list(tasks)
        status.tell(rows)
        return [
            TaskRow(
                badge=formatting.standing(task),
                link=self.link(self.url(task), formatting.name(task.name or str(UNNAMED))),
                identifier=formatting.identifier(task.task_id),
                sent=formatting.moment(task.sent_at),
                runtime=formatting.runtime(task),
                worker=formatting.text(task.worker),
                index="" if task.group_index is None else str(task.group_index),
            )
            for task in rows
        ]


def facts(*pairs: tuple[str, str | None]) -> list[Fact]:
    """The lines that have something to say."""
    return [Fact(label, value) for label, value in pairs if value]
