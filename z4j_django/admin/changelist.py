"""A change list that never counts a whole table: newest first, paged by key."""

from __future__ import annotations

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

from z4j_django.admin import filters, formatting
from z4j_django.queries import keyset, totals

#: Rows with a smaller id than this one.
BEFORE_VAR = "before"
#: Rows with a greater id than this one.
AFTER_VAR = "after"

_GREATEST_ID = 2**63 - 1


class KeysetChangeList(ChangeList):
    """Pages through ids, so that page one thousand costs what page one costs.

    A parameter that means nothing is left out, with a message that says so.
    """

    # The declared types are wider than what a read-only admin has.
    model_admin: Any
    list_filter: Any
    before: Any = None
    after: Any = None
    has_newer = False
    has_older = False
    total: totals.Total
    #: Where to act on all that the filters find; empty where one may not, or nothing is filtered.
    bulk_link = ""
    _leader: keyset.Way
    _ways: list[keyset.Way]
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
        self._ways = self.model_admin.search_ways(self._rest, sought)
        return keyset.matching(self._rest.filter(self._leader.whole), self._ways)

    def _take_parameters(self, request: HttpRequest) -> None:
        for name in (BEFORE_VAR, AFTER_VAR):
            if name in self.params:
                setattr(self, name, self._take_place(request, name))
        known = {*self.get_filters_params(), *IGNORED_PARAMS, PAGE_VAR, ALL_VAR, ERROR_FLAG}
        for name in set(self.params) - known:
            self._forget(name)
            messages.warning(request, f"There is no filter “{name[:50]}”; it was left out.")
        # Kept, it would travel along in every link and change nothing.
        self._forget(ORDER_VAR)

    def _take_place(self, request: HttpRequest, name: str) -> Any:
        given = self.params[name]
        self._forget(name)
        place = self.place_of(given)
        if place is None:
            messages.warning(request, f"“{given[:50]}” is no place in this list; it was left out.")
        return place

    def place_of(self, text: str) -> Any:
        """The row's place that a parameter names, or None."""
        is_id = text.isascii() and text.isdigit() and len(text) <= 19
        return int(text) if is_id and int(text) <= _GREATEST_ID else None

    def _forget(self, name: str) -> None:
        self.params.pop(name, None)
        self.filter_params.pop(name, None)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Newest first, whatever the address says: no other order has an index."""
        return ["-id"]

    def get_results(self, request: HttpRequest) -> None:
        """Read one page, and find out how many rows there are on all of them."""
        rows = self.read(request)
        self.result_list = self.model_admin.decorate(rows)
        self.result_count = self.full_result_count = len(rows)
        self.total = self.count(rows)
        self.show_full_result_count = False
        self.show_admin_actions = bool(rows)
        self.bulk_link = self.model_admin.bulk_link(request, self.narrowing())
        self.can_show_all = False
        self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, rows, self.list_per_page)

    def read(self, request: HttpRequest) -> list[Any]:
        """The rows of the page; one row more tells whether there is another page."""
        rows = self._newer_page() if self.after is not None else None
        return self._page() if rows is None else rows

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

    def _page(self) -> list[Any]:
        rows = self._read(keyset.Place(before=self.before))
        self.has_older = len(rows) > self.list_per_page
        self.has_newer = self.before is not None
        return rows[: self.list_per_page]

    def _newer_page(self) -> list[Any] | None:
        """The page above ``after``; None where the newest page shows all of it."""
        rows = self._read(keyset.Place(after=self.after))
        if len(rows) <= self.list_per_page:
            return None
        self.has_newer = self.has_older = True
        return rows[self.list_per_page - 1 :: -1]

    def _read(self, place: keyset.Place) -> list[Any]:
        """The rows of a page, and one more where there is another page."""
        rest, ways = self._rest, [self._leader]
        if self._ways:
            rest, ways = rest.filter(self._leader.whole), self._ways
        return list(keyset.page(rest, ways, place, self.list_per_page + 1))

    @property
    def count_shown(self) -> str:
        """The number of rows, here and on all pages, in words."""
        total = formatting.total(self.total)
        is_part = self.has_newer or self.has_older
        return f"{self.result_count} of {total}" if is_part else total

    @property
    def order_shown(self) -> str:
        """Which rows come first, in words."""
        return "newest first"

    @property
    def newest_link(self) -> str:
        """The first page, filters kept."""
        return self.get_query_string()

    @property
    def newer_link(self) -> str:
        """The page above this one, filters kept."""
        if not self.result_list:
            return self.newest_link
        return self.get_query_string({AFTER_VAR: self.result_list[0].pk})

    @property
    def older_link(self) -> str:
        """The page below this one, filters kept."""
        return self.get_query_string({BEFORE_VAR: self.result_list[-1].pk})
