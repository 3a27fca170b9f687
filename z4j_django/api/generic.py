"""What is alike in lists and in details: a view of its own says only what is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, pagination, problems
from z4j_django.queries import pages
from z4j_django.queries.index_ranges import IndexRange
from z4j_django.values import SHORT, UNSTORABLE

#: Which rows are wanted of a list, and the index ranges that have them.
Wanted = tuple[QuerySet[Any], Sequence[IndexRange]]
#: All of a table, the newest rows first.
EVERYTHING: Final = (IndexRange(),)


class Shown(base.View):
    """Answers with what its endpoint's serializer makes of what was found."""

    @property
    def serializer(self) -> Any:
        """That of the good answer."""
        return self.endpoint.answer

    def answer(self, found: Any) -> Response:
        """The good answer."""
        return Response(self.serializer(found, context={"request": self.request}).data)


class List(Shown):
    """A list, page by page; the newest rows come first where nothing else is said."""

    def wanted(self) -> Wanted:
        """Which rows may be on the page, by ``asked``."""
        raise NotImplementedError

    def page(self) -> pages.Page[Any]:
        """The page that is asked for.

        Raises:
            ValueError: If the cursor is of a list in another order.
        """
        queryset, ranges = self.wanted()
        return pages.read(queryset, self.asked["cursor"], self.asked["limit"], ranges)

    def get(self, request: Request, **path: Any) -> Response:
        """The page."""
        try:
            page = self.page()
        except ValueError:
            raise pagination.wrong_cursor() from None
        rows = self.serializer.row(page.rows, many=True, context={"request": request})
        return Response(pagination.body(request, page, rows.data))


class Detail(Shown):
    """One thing, by the name or number in its address.

    Attributes:
        missing: What is told where there is none.
    """

    missing: ClassVar[str]

    def find(self) -> Any:
        """The thing, by ``asked``; None where there is none."""
        raise NotImplementedError

    def beside(self, found: Any) -> dict[str, Any]:
        """What is shown beside its own attributes."""
        return {}

    def get(self, request: Request, **path: Any) -> Response:
        """The thing."""
        found = self.find()
        if found is None:
            raise problems.NotFound(self.missing)
        for name, value in self.beside(found).items():
            setattr(found, name, value)
        return self.answer(found)


def may_be(name: str) -> bool:
    """Whether a record can have ``name`` for its id or name."""
    return 0 < len(name) <= SHORT and not UNSTORABLE.search(name)


def named(queryset: QuerySet[Any], column: str, name: str) -> Any:
    """The row of which ``column`` is ``name``; None where there is none.

    Args:
        queryset: Where to look.
        column: A column that has each name but once in it.
        name: As it stands in an address.
    """
    if not may_be(name):
        return None
    row = queryset.filter(**{column: name}).first()
    # MySQL takes a text for the same with spaces at its end.
    return row if row is not None and getattr(row, column) == name else None
