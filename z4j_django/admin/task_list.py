"""The list of tasks: the sidebar and the search box are one filter, read page by page."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import and_
from typing import Any

from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from z4j_django import states
from z4j_django.admin import formatting, task_rows
from z4j_django.admin.changelist import KeysetChangeList
from z4j_django.admin.filters import TermFilter
from z4j_django.exceptions import FilterError
from z4j_django.queries import filter as filters
from z4j_django.queries import totals
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.filter import corrections, index_choice
from z4j_django.queries.filter.values import Exact, Range
from z4j_django.queries.pages import Page


class TaskChangeList(KeysetChangeList):
    """Pages of the tasks that a filter finds.

    Where the filter can't be read nothing is listed: whoever acts on a list must not take all
    tasks there are for those that he asked for.
    """

    #: What is wrong with the filter.
    mistake: FilterError | None = None
    filter: filters.Filter

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """All tasks, which only Django's actions narrow: to the rows that were checked."""
        queryset = super().get_queryset(request, exclude_parameters)
        specs = [spec for spec in self.filter_specs if isinstance(spec, TermFilter)]
        try:
            self.filter = reduce(and_, (spec.term() for spec in specs), filters.parse(self.query))
        except FilterError as error:
            self.mistake, self.filter = error, filters.Filter()
        return queryset

    def page(self, cursor: Cursor) -> Page[Any]:
        """The tasks that the filter finds; none where it can't be read."""
        if self.mistake is not None:
            return Page([])
        return self.filter.page(self._rest, cursor, self.list_per_page)

    def narrowing(self) -> dict[str, Any]:
        """The filters and the search that are set; none where they can't be read."""
        return {} if self.mistake is not None or self.filter.is_empty else super().narrowing()

    def count(self, rows: list[Any]) -> totals.Total:
        """How many tasks there are on all pages; where an index does not tell, those at hand."""
        if not (self.has_newer or self.has_older):
            return totals.Total(len(rows), "exact")
        if self.filter.is_empty:
            return totals.total(self.filter.matches(self.queryset), like=self.queryset)
        if self._lies_together():
            return totals.total(self.filter.matches(self.queryset))
        about = None
        indexes = [one.kind.index for one in self.filter.terms]
        if all(one is not None and one.has_statistics for one in indexes):
            about = totals.estimate(self.filter.matches(self.queryset))
        return about or totals.Total(len(rows), "over")

    def _lies_together(self) -> bool:
        """Whether its tasks are one range of an index, so that no others are read to count them."""
        one, *others = self.filter.terms
        if others or one.negated or len(one.values) > 1 or not index_choice.candidates([one]):
            return False
        index = one.kind.index
        is_range = index is not None and index.is_range
        return is_range and isinstance(one.values[0], Exact | Range)

    @property
    def rows(self) -> Iterator[task_rows.Row]:
        """The tasks of the page, as they are shown."""
        return task_rows.rows(self.model_admin, self.result_list)

    @property
    def text(self) -> str:
        """The whole filter, as one types it; empty where it can't be read."""
        return "" if self.mistake is not None else str(self.filter)

    @property
    def bars(self) -> Iterator[dict[str, Any]]:
        """What can be chosen by a click: each filter of which all values are known."""
        for spec in self.filter_specs:
            if isinstance(spec, TermFilter) and spec.is_offered:
                yield {"title": spec.title, "choices": list(self._choices(spec))}

    def _choices(self, spec: TermFilter) -> Iterator[dict[str, Any]]:
        for choice in spec.choices(self):
            value = str(choice["display"])
            is_state = spec.parameter_name == "state" and value in states.ALL
            yield {
                "shown": formatting.badge(value) if is_state else value,
                "url": choice["query_string"],
                "is_current": choice["selected"],
            }

    @property
    def chosen(self) -> Iterator[dict[str, Any]]:
        """The other filters that are set, each with the list without it."""
        for spec in self.filter_specs:
            if isinstance(spec, TermFilter) and not spec.is_offered and spec.value():
                without = self.get_query_string(remove=[spec.parameter_name])
                yield {"title": spec.title, "value": spec.value(), "url": without}

    @cached_property
    def meant(self) -> str:
        """The filter that may be meant by a wrong one, or by one that finds nothing; or empty."""
        if self.mistake is not None:
            return corrections.of_mistake(self.query) or ""
        asked = filters.parse(self.query)
        found = corrections.of_words(asked)
        is_nothing = not self.result_list and not self.has_newer and not self.has_older
        if found is None and is_nothing:
            found = corrections.of_nothing_found(asked)
        return found or ""

    @property
    def meant_link(self) -> str:
        """The list under that filter."""
        return self.get_query_string({SEARCH_VAR: self.meant}) if self.meant else ""

    @property
    def order_shown(self) -> str:
        """Which tasks come first, in words."""
        by_sent = self.filter.order() == "-sent_at"
        words = _("by the time sent, newest first")
        return words if by_sent else super().order_shown

    @property
    def unindexed(self) -> tuple[str, ...]:
        """The terms for want of whose index it had to look."""
        return self.filter.unindexed() if self.found.looked_through is not None else ()
