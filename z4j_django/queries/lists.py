"""Pages of the lists beside that of tasks, newest first, however few of the rows are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

from z4j_django.queries import keyset, windows

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows of a list, the newest first.

    Attributes:
        rows: Fewer than asked for, or none, where so many others were looked through for them.
        following: Where the next page begins; ``None``: there is none.
        preceding: Where the page before this one ends; ``None``: there is none.
    """

    rows: list[M]
    following: keyset.Key | None
    preceding: keyset.Key | None


def page(
    queryset: QuerySet[M], place: keyset.Place, limit: int, ways: Sequence[keyset.Way] = ()
) -> Page[M]:
    """Some rows of ``queryset``.

    Args:
        queryset: Which rows are wanted, in no order.
        place: Where the page begins.
        limit: How many rows at most.
        ways: The indexes that lead to them; without any, the primary key's.
    """
    backwards = place.after is not None
    start = keyset.Key(place.key.id) if place.key is not None else None
    walk = windows.Walk(list(ways) or [keyset.Way()], keyset.Order(down=not backwards), start)
    found = windows.read(queryset, walk, limit, narrows=bool(queryset.query.where))
    rows = found.rows[::-1] if backwards else found.rows
    back = None
    if start is not None:
        # From an empty page the way back begins beside the row that it was to begin with.
        beside = start.id + (1 if backwards else -1)
        back = keyset.Key(found.rows[0].pk if rows else min(max(beside, 0), keyset.GREATEST_ID))
    following, preceding = (back, found.end) if backwards else (found.end, back)
    return Page(rows=rows, following=following, preceding=preceding)
