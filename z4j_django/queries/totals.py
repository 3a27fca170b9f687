"""How many rows a list has: exactly where they are few, estimated where they are many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from django.db import connections
from django.db.models import QuerySet

#: Rows that are counted one by one, at most.
COUNT_LIMIT = 1000

#: From here on the estimate stands alone: where so many rows match, counting the first ones
#: tells nothing, and may read far to find them.
ESTIMATE_FROM = 10 * COUNT_LIMIT


@dataclass(frozen=True)
class Total:
    """A number of rows.

    Attributes:
        count: How many.
        kind: ``exact``; ``about``, by the database's own statistics; ``over``, where there are
            more than ``count`` and no one knows how many.
    """

    count: int
    kind: Literal["exact", "about", "over"]


def total(queryset: QuerySet[Any], like: QuerySet[Any] | None = None) -> Total:
    """How many rows ``queryset`` has, in two queries that read a bounded number of them.

    Args:
        queryset: The rows.
        like: Rows that are about as many, and of which the database knows more.
    """
    guess = _estimate(queryset if like is None else like)
    if guess is not None and guess >= ESTIMATE_FROM:
        return Total(guess, "about")
    # In no order: where the rows of several index ranges match, an order means to sort them all.
    counted = queryset.order_by()[: COUNT_LIMIT + 1].count()
    if counted <= COUNT_LIMIT:
        return Total(counted, "exact")
    if guess is not None and guess > COUNT_LIMIT:
        return Total(guess, "about")
    return Total(COUNT_LIMIT, "over")


def estimate(queryset: QuerySet[Any]) -> Total | None:
    """What the database's statistics say of ``queryset``, without reading a row of it.

    Returns:
        About how many; ``None`` where they say nothing, or too few to be believed.
    """
    found = _estimate(queryset)
    return Total(found, "about") if found is not None and found >= ESTIMATE_FROM else None


def _estimate(queryset: QuerySet[Any]) -> int | None:
    """What the database's statistics say; None where it has none for this."""
    vendor = connections[queryset.db].vendor
    if vendor == "sqlite":
        # Its planner guesses by constants. The span of the ids says how many were ever recorded
        # since the oldest one.
        return None if queryset.query.where else _span(queryset)
    if vendor not in ("postgresql", "mysql"):
        return None
    plan: Any = queryset.order_by().values("pk").explain(format="json") or "null"
    while isinstance(plan, str):
        # Django writes the text of MySQL's driver down as JSON once more.
        plan = json.loads(plan)
    return next(_rows(plan), None)


def _span(queryset: QuerySet[Any]) -> int:
    connection = connections[queryset.db]
    table = connection.ops.quote_name(queryset.model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT MAX(id) FROM {table}) - (SELECT MIN(id) FROM {table}) + 1"  # noqa: S608 - a quoted name
        )
        return cursor.fetchone()[0] or 0


def _rows(plan: Any) -> Iterator[int]:
    """The rows that come out of each step of a plan, the last step first."""
    if isinstance(plan, list):
        for step in plan:
            yield from _rows(step)
    elif isinstance(plan, dict):
        if "Plan Rows" in plan:
            yield int(plan["Plan Rows"])
        examined = plan.get("rows", plan.get("rows_examined_per_scan"))
        if isinstance(examined, int | float):
            yield round(examined * float(plan.get("filtered", 100)) / 100)
        for step in plan.values():
            yield from _rows(step)
