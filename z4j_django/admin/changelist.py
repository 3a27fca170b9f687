"""A change list that never counts a whole table: newest first, paged by key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.admin.views.main import (
    ALL_VAR,
    ERROR_FLAG,
    IGNORED_PARAMS,
    ORDER_VAR,
    PAGE_VAR,
    ChangeList,
)
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from z4j_django.admin import filters, formatting
from z4j_django.queries import index_ranges, pages, totals
from z4j_django.queries.cursors import Cursor, Key
from z4j_django.queries.index_ranges import IndexRange
from z4j_django.queries.pages import Page
from z4j_django.values import GREATEST_ID, whole_number

#: Rows with a smaller id than this one.
BEFORE_VAR = "before"
#: Rows with a greater id than this one.
AFTER_VAR = "after"


class KeysetChangeList(ChangeList):
    """Pages through ids, so that page one thousand costs what page one costs.

    A parameter that means nothing is left out, with a message that says so.
    """

    # The declared types are wider than what a read-only admin has.
    model_admin: Any
    list_filter: Any
    cursor = Cursor()
    found: Page[Any]
    total: totals.Total
    #: Where to act on all that the filters find; empty where one may not, or nothing is filtered.
    bulk_link = ""
    _leader: IndexRange
    _ranges: list[IndexRange]
    _rest: QuerySet[Any]

    def get_filters_params(self, params: Any = None) -> dict[str, list[str]]:
        """The parameters of the declared filters; Django would take any column's name."""
        given = super().get_filters_params(params)
        declared = {spec.parameter_name for spec in self.list_filter}
        return {key: value for key, value in given.items() if key in declared}

    def get_filters(self, request: HttpRequest) -> Any:
        """The filters; the one whose index leads through the list filters no more by itself."""
        found = super().get_filters(request)
        self._leader = filters.leader(found[0])
        return found

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """The rows that filters and search leave, without the columns that no list shows."""
        self._take_parameters(request)
        # The page asks the filters and the search for their indexes, one by one.
        sought, self.query = self.query, ""
        queryset: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        self.query = sought
        self._rest = self.model_admin.for_list(queryset)
        whole = self._rest.filter(self._leader.whole)
        if not sought.strip():
            self._ranges = [self._leader]
            return whole
        self._ranges = self.model_admin.search_ranges(self._rest, sought)
        self._rest = whole
        return index_ranges.matching(whole, self._ranges)

    def _take_parameters(self, request: HttpRequest) -> None:
        given = {
            name: self._take_key(request, name)
            for name in (BEFORE_VAR, AFTER_VAR)
            if name in self.params
        }
        self.cursor = Cursor(given.get(BEFORE_VAR), given.get(AFTER_VAR))
        known = {*self.get_filters_params(), *IGNORED_PARAMS, PAGE_VAR, ALL_VAR, ERROR_FLAG}
        for name in set(self.params) - known:
            self._forget(name)
            words = _("There is no filter “%(name)s”; it was left out.")
            messages.warning(request, words % {"name": name[:50]})
        # Kept, it would travel along in every link and change nothing.
        self._forget(ORDER_VAR)

    def _take_key(self, request: HttpRequest, name: str) -> Key | None:
        given = self.params[name]
        self._forget(name)
        key = _key(given)
        if key is None:
            words = _("“%(place)s” is no place in this list; it was left out.")
            messages.warning(request, words % {"place": given[:50]})
        return key

    def _forget(self, name: str) -> None:
        self.params.pop(name, None)
        self.filter_params.pop(name, None)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Newest first, whatever the address says: no other order has an index."""
        return ["-id"]

    def get_results(self, request: HttpRequest) -> None:
        """Read one page, and find out how many rows there are on all of them."""
        self.found = self._find(request)
        rows = self.found.rows
        self.result_list = self.model_admin.decorate(request, rows)
        self.result_count = self.full_result_count = len(rows)
        self.total = self.count(rows)
        self.show_full_result_count = False
        self.show_admin_actions = bool(rows)
        self.bulk_link = self.model_admin.bulk_link(request, self.narrowing())
        self.can_show_all = False
        self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, rows, self.list_per_page)

    def page(self, cursor: Cursor) -> Page[Any]:
        """The page at a place in the list."""
        return pages.read(self._rest, cursor, self.list_per_page, self._ranges)

    def _find(self, request: HttpRequest) -> Page[Any]:
        try:
            if self.cursor.after is not None:
                found = self.page(self.cursor)
                if found.preceding is not None:
                    return found
                # The newest page is a full one, though one comes to it from below.
                self.cursor = Cursor(before=self.cursor.before)
            return self.page(self.cursor)
        except ValueError:
            messages.warning(
                request, _("This is no place in a list of this order; it was left out.")
            )
            self.cursor = Cursor()
            return self.page(self.cursor)

    @property
    def bars(self) -> Iterator[dict[str, Any]]:
        """What can be chosen by a click: each filter, with its values."""
        for spec in self.filter_specs:
            choices = [
                {
                    "shown": choice["display"],
                    "url": choice["query_string"],
                    "is_current": choice["selected"],
                }
                for choice in spec.choices(self)
            ]
            yield {"title": spec.title, "choices": choices}

    @property
    def has_newer(self) -> bool:
        """Whether there is a page above this one."""
        return self.found.preceding is not None

    @property
    def has_older(self) -> bool:
        """Whether there is a page below this one."""
        return self.found.following is not None

    def narrowing(self) -> dict[str, Any]:
        """The filters and the search that are set."""
        found: dict[str, Any] = {
            key: values for key, values in self.get_filters_params().items() if any(values)
        }
        return {**found, "q": self.query} if self.query else found

    def count(self, rows: list[Any]) -> totals.Total:
        """How many rows there are on all pages; those at hand say so where they are all."""
        if not (self.has_newer or self.has_older):
            return totals.Total(len(rows), "exact")
        return totals.total(self.queryset)

    @property
    def count_shown(self) -> str:
        """The number of rows, in words; nobody knows of others where the page stopped looking."""
        if self.found.looked_through is not None:
            return _("%(count)s on this page") % {"count": self.result_count}
        total = formatting.total(self.total)
        is_part = self.has_newer or self.has_older
        words = _("%(count)s of %(all)s") % {"count": self.result_count, "all": total}
        return words if is_part else total

    @property
    def order_shown(self) -> str:
        """Which rows come first, in words."""
        return _("newest first")

    @property
    def looked_through(self) -> str:
        """How far the page looked, where that ended it; empty where it is full, or the last."""
        seen, count = self.found.looked_through, self.result_count
        if seen is None:
            return ""
        found = ngettext("%(count)s of them matches.", "%(count)s of them match.", count)
        words = found % {"count": count} if count else _("None of them matches.")
        looked = _("This page looked through %(count)s %(rows)s.")
        rows = self.opts.verbose_name_plural
        return f"{looked % {'count': formatting.count(seen), 'rows': rows}} {words}"

    @property
    def nothing_shown(self) -> str:
        """What an empty page says."""
        is_narrowed = bool(self.has_active_filters or self.query)
        if self.has_newer:
            words = _("No older %(rows)s match.") if is_narrowed else _("No older %(rows)s.")
        else:
            words = _("No %(rows)s match.") if is_narrowed else _("No %(rows)s on record yet.")
        return words % {"rows": self.opts.verbose_name_plural}

    @property
    def newest_link(self) -> str:
        """The first page, filters kept."""
        return self.get_query_string()

    @property
    def newer_link(self) -> str:
        """The page above this one, filters kept."""
        return self._link(AFTER_VAR, self.found.preceding)

    @property
    def older_link(self) -> str:
        """The page below this one, filters kept."""
        return self._link(BEFORE_VAR, self.found.following)

    @property
    def further_link(self) -> str:
        """On from where the page stopped looking, up or down."""
        return self.older_link if self.cursor.after is None else self.newer_link

    def _link(self, name: str, key: Key | None) -> str:
        return self.newest_link if key is None else self.get_query_string({name: key.token()})


def _key(text: str) -> Key | None:
    """The key of a token; or of a row's number, as addresses had it once. None where it is none."""
    if (number := whole_number(text, 19)) is not None:
        return Key(number) if number <= GREATEST_ID else None
    try:
        return Key.from_token(text)
    except ValueError:
        return None
