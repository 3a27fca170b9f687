"""The list of tasks: the sidebar and the search box are one filter, read page by page."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest

from z4j_django.admin.changelist import AFTER_VAR, BEFORE_VAR, KeysetChangeList
from z4j_django.admin.filters import TermFilter
from z4j_django.exceptions import FilterError
from z4j_django.queries import filters, keyset, leading, shapes, totals

#: Terms of which each value is a range of an index by itself; that on ids begins with the project.
_RANGES = frozenset(
    {"state", "name", "queue", "worker", "group", "parent", "retry_of", "schedule", "sent"}
)
#: Columns of whose values a database keeps statistics that can be believed.
_KNOWN = frozenset({"state", "name", "queue", "worker"})


class TaskChangeList(KeysetChangeList):
    """Pages of the tasks that a filter finds.

    Where the filter can't be read nothing is listed: whoever acts on a list must not take all
    tasks there are for those that he asked for.
    """

    #: What is wrong with the filter.
    mistake: FilterError | None = None
    filter: filters.Filter
    found: filters.Page

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """All tasks, which only Django's actions narrow: to the rows that were checked."""
        queryset = super().get_queryset(request, exclude_parameters)
        specs = [spec for spec in self.filter_specs if isinstance(spec, TermFilter)]
        try:
            self.filter = reduce(and_, (spec.term() for spec in specs), filters.parse(self.query))
        except FilterError as error:
            self.mistake, self.filter = error, filters.Filter()
        return queryset

    def place_of(self, text: str) -> keyset.Key | int | None:
        """The key of a token; or a row's number, as these addresses once had."""
        number: int | None = super().place_of(text)
        try:
            return keyset.Key.from_token(text) if number is None else number
        except ValueError:
            return None

    def read(self, request: HttpRequest) -> list[Any]:
        """The rows of the page."""
        self.found = self._find(request)
        self.has_newer = self.found.preceding is not None
        self.has_older = self.found.following is not None
        return self.found.rows

    def _find(self, request: HttpRequest) -> filters.Page:
        if self.mistake is not None:
            return filters.Page([], None, None)
        try:
            if self.after is not None:
                found = self._page_at(keyset.Place(after=self.after))
                if found.preceding is not None:
                    return found
                # The newest page is a full one, though one comes to it from below.
                self.after = None
            return self._page_at(keyset.Place(before=self.before))
        except ValueError:
            messages.warning(request, "This is no place in a list of this order; it was left out.")
            self.before = self.after = None
            return self._page_at(keyset.Place())

    def _page_at(self, place: keyset.Place) -> filters.Page:
        return self.filter.page(self._rest, place, self.list_per_page)

    def narrowing(self) -> dict[str, Any]:
        """The filters and the search that are set; none where they can't be read."""
        return {} if self.mistake is not None or self.filter.is_empty else super().narrowing()

    def count(self, rows: list[Any]) -> totals.Total:
        """How many tasks there are on all pages; where an index does not tell, those at hand."""
        if not (self.has_newer or self.has_older):
            return totals.Total(len(rows), "exact")
        if self.filter.is_empty or self._lies_together():
            return totals.total(self.filter.matches(self.queryset))
        about = None
        if all(one.name in _KNOWN for one in self.filter.terms):
            about = totals.estimate(self.filter.matches(self.queryset))
        return about or totals.Total(len(rows), "over")

    def _lies_together(self) -> bool:
        """Whether its tasks are one range of an index, so that no others are read to count them."""
        one, *others = self.filter.terms
        if others or one.negated or len(one.values) > 1 or not leading.candidates([one]):
            return False
        return one.name in _RANGES and isinstance(one.values[0], shapes.Exact | shapes.Range)

    @property
    def count_shown(self) -> str:
        """The number of tasks; nobody knows of others where the page stopped looking."""
        if self.found.looked_through is not None:
            return f"{self.result_count} on this page"
        return super().count_shown

    @property
    def order_shown(self) -> str:
        """Which tasks come first, in words."""
        by_sent = self.filter.order() == "-sent_at"
        return "by the time sent, newest first" if by_sent else super().order_shown

    @property
    def newer_link(self) -> str:
        """The page above this one, filters kept."""
        return self._link(AFTER_VAR, self.found.preceding)

    @property
    def older_link(self) -> str:
        """The page below this one, filters kept."""
        return self._link(BEFORE_VAR, self.found.following)

    def _link(self, name: str, key: keyset.Key | None) -> str:
        return self.newest_link if key is None else self.get_query_string({name: key.token()})

    @property
    def looked_through(self) -> str:
        """How far the page looked, where that ended it; empty where it is full, or the last."""
        seen, count = self.found.looked_through, self.result_count
        if seen is None:
            return ""
        words = f"{count or 'None'} of them match{'es' if count < 2 else ''}"
        return f"This page looked through {seen:,} tasks. {words}."

    @property
    def unindexed(self) -> tuple[str, ...]:
        """The terms for want of whose index it had to look."""
        return self.filter.unindexed() if self.found.looked_through is not None else ()

    @property
    def further_link(self) -> str:
        """On from where the page stopped looking, up or down."""
        return self.newer_link if self.after is not None else self.older_link
