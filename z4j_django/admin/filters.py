"""Filters whose choices cost a bounded number of index lookups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django.queries import filter as queries
from z4j_django.queries import liveness
from z4j_django.queries.filter import words
from z4j_django.queries.index_ranges import IndexRange


class ValueFilter(admin.SimpleListFilter):
    """One exact value of an indexed column; the list itself does the filtering."""

    parameter_name: str

    def values(self) -> list[str]:
        """The values on offer."""
        raise NotImplementedError

    def words(self, value: str) -> str:
        """What a value is called; by default as it is."""
        return value

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The values on offer, and the chosen one even where it is not among them."""
        values = self.values()
        chosen = self.value()
        if chosen and chosen not in values:
            values = [chosen, *values]
        return [(value, self.words(value)) for value in values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """All of them: what is chosen, the list asks for."""
        return queryset


class TermFilter(ValueFilter):
    """A value as one term of the filter that the list of tasks has.

    Attributes:
        is_offered: Whether all of its values stand above the list; others are typed, or linked to.
    """

    is_offered = False

    def term(self) -> queries.Filter:
        """The term; the empty filter where nothing is chosen.

        Raises:
            FilterError: If no task can have this value.
        """
        chosen = self.value()
        # The value is whole, whatever its characters would mean in a search.
        shown = words.shown(chosen, "*") if chosen else ""
        return queries.term(self.parameter_name, shown) if shown else queries.Filter()


class ColumnFilter(ValueFilter):
    """A value of a column, along whose index the list may read."""

    #: It does, and does the filtering itself.
    leads = False

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows with the chosen value."""
        chosen = self.value()
        if not chosen or self.leads:
            return queryset
        if "\0" in chosen:
            # No row has it, and PostgreSQL takes no such parameter.
            return queryset.none()
        return queryset.filter(**{self.parameter_name: chosen})


def leader(specs: Iterable[Any]) -> IndexRange:
    """The filter whose index the list should read along, as a range; from now on it only leads.

    Of those that are set, for no two indexes can be read in one order.
    """
    chosen = {spec.parameter_name: spec for spec in specs if isinstance(spec, ColumnFilter)}
    for column in LEADERS:
        value = chosen[column].value() if column in chosen else None
        if value and "\0" not in value:
            chosen[column].leads = True
            return IndexRange(column=column, value=value)
    return IndexRange()


def value_filter(
    column: str,
    values: Callable[[], list[str]],
    kind: type[ValueFilter] = ColumnFilter,
    shown: Callable[[str], str] | None = None,
) -> type[ValueFilter]:
    """A filter by ``column``.

    Args:
        column: The column, which is also the parameter's name and the title.
        values: Gives the values on offer; called once a page.
        kind: What is made of the value that is chosen.
        shown: Says a value in words; by default it stands as it is.

    Returns:
        A class for ``list_filter``.
    """
    members = {
        "title": gettext_lazy(column),
        "parameter_name": column,
        "values": lambda self: values(),
    }
    if shown is not None:
        members["words"] = lambda self, value: shown(value)
    return type(f"{column.capitalize()}Filter", (kind,), members)


#: The indexes that a list may read along, the one that promises most first.
LEADERS = ("state", "verb")


def _term_filter(kind: queries.Kind) -> type[ValueFilter]:
    """The filter of a term; only values that are the same in every project cost no look-up."""
    is_offered = kind.shape in ("state", "status")
    offers = kind.suggestions if is_offered else None
    made = value_filter(kind.name, partial(offers, "") if offers else list, TermFilter)
    made.is_offered = is_offered  # type: ignore[attr-defined]
    return made


TASK_FILTERS = tuple(_term_filter(kind) for kind in queries.TERMS.values() if kind.is_parameter)


class OnlineFilter(admin.SimpleListFilter):
    """Workers that said goodbye, and those that did not."""

    title = gettext_lazy("online")
    parameter_name = "online"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Yes, no, and those of long ago as well."""
        return [("yes", _("Yes")), ("no", _("No")), ("all", _("Also of long ago"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that are, or are not, online; else those that were heard of within a day."""
        chosen = self.value()
        if chosen == "all":
            return queryset
        if chosen not in ("yes", "no"):
            return queryset.exclude(liveness.left_long_ago(timezone.now()))
        return queryset.filter(online=chosen == "yes")
