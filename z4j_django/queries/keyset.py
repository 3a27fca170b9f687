"""Pages by key: the newest rows of an index range, wherever in the table they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import BooleanField, Model, Q, QuerySet
from django.db.models.expressions import RawSQL

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Place:
    """Where a page begins: below the row ``before``, above the row ``after``, or at the top.

    A page above a row is read upwards, from that row on.
    """

    before: int | None = None
    after: int | None = None

    def order(self, *columns: str) -> list[str]:
        """The order in which the page is read."""
        return [name if self.after is not None else f"-{name}" for name in (*columns, "id")]


@dataclass(frozen=True)
class Way:
    """Rows that one index finds in the order of their ids.

    Attributes:
        condition: Which rows.
        column: The column that the index begins with, where there is one besides the id; all
            rows have ``value`` there, and ``condition`` need not say so.
    """

    condition: Q = field(default_factory=Q)
    column: str = ""
    value: str = ""

    @property
    def whole(self) -> Q:
        """The rows, for a query that asks for no order."""
        return self.condition & Q(**{self.column: self.value}) if self.column else self.condition


def matching(queryset: QuerySet[M], ways: Sequence[Way]) -> QuerySet[M]:
    """The rows that lie on any of the ways, in no order; all where there is no way."""
    return queryset.filter(reduce(or_, (way.whole for way in ways))) if ways else queryset


def page(queryset: QuerySet[M], ways: Sequence[Way], place: Place, limit: int) -> QuerySet[M]:
    """The first rows at ``place`` that lie on any of the ways.

    Args:
        queryset: Which rows may be on the page besides.
        ways: At least one; each is walked no further than the page needs.
        place: Where the page begins.
        limit: How many rows at most.
    """
    if len(ways) == 1:
        return _walk(queryset, ways[0], place)[:limit]
    ids: Any = queryset.values("id")
    return _merged(queryset, [_walk(ids, way, place)[:limit] for way in ways], place, limit)


def _walk(queryset: QuerySet[M], way: Way, place: Place) -> QuerySet[M]:
    column, value = way.column, way.value
    if not column or connections[queryset.db].vendor != "postgresql":
        bounds = Q()
        if place.before is not None:
            bounds &= Q(id__lt=place.before)
        if place.after is not None:
            bounds &= Q(id__gt=place.after)
        return queryset.filter(way.whole, bounds).order_by(*place.order())
    # With an equality PostgreSQL knows that the primary key's order would do as well, and takes
    # it for frequent values: where all their rows are old, it reads through all that is newer.
    # A range leaves it the index.
    bounds = way.condition & Q(**{f"{column}__gte": value, f"{column}__lte": value})
    queryset = queryset.filter(bounds)
    if place.before is not None:
        queryset = queryset.filter(_beside(queryset, column, "<", value, place.before))
    if place.after is not None:
        queryset = queryset.filter(_beside(queryset, column, ">", value, place.after))
    return queryset.order_by(*place.order(column))


def _beside(queryset: QuerySet[M], column: str, operator: str, value: str, row: int) -> RawSQL:
    """The comparison of a pair, which begins in the middle of an index range."""
    table = connections[queryset.db].ops.quote_name(queryset.model._meta.db_table)
    return RawSQL(  # noqa: S611 - names of our own
        f"({table}.{column}, {table}.id) {operator} (%s, %s)", (value, row), BooleanField()
    )


def _merged(
    queryset: QuerySet[M], parts: Sequence[QuerySet[Any, Any]], place: Place, limit: int
) -> QuerySet[M]:
    """The first rows of several walks; one statement, for no database plans an OR so well."""
    statements: list[str] = []
    params: list[Any] = []
    for part in parts:
        try:
            sql, values = part.query.get_compiler(queryset.db).as_sql()
        except EmptyResultSet:
            continue
        statements.append(f"SELECT id FROM ({sql}) part_{len(statements)}")  # noqa: S608 - compiled by Django
        params += values
    if not statements:
        return queryset.none()
    order = "ASC" if place.after is not None else "DESC"
    ids = RawSQL(  # noqa: S611 - compiled by Django, with its parameters
        f"SELECT id FROM (SELECT id FROM ({' UNION '.join(statements)}) merged "  # noqa: S608
        f"ORDER BY id {order} LIMIT {limit:d}) first_ids",
        params,
    )
    found = queryset.model._default_manager.using(queryset.db).filter(pk__in=ids)
    found.query.deferred_loading = queryset.query.deferred_loading
    return found.order_by(*place.order())
