"""Pages by key: a cursor names a row, so that rows which come meanwhile move nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from rest_framework import serializers
from rest_framework.request import Request

from z4j_django.api import base, problems
from z4j_django.api.parameters import Parameter, Whole
from z4j_django.queries import cursors
from z4j_django.queries import pages as queries

_BEFORE: Final = "b"
_AFTER: Final = "a"
_STRANGE: Final = "It is no cursor of this list; take those in next and previous as they are."


class Cursor(Parameter):
    """``?cursor=``: where a page begins."""

    def __init__(self) -> None:
        told = "Where the page begins: take `next` and `previous` of an answer as they are."
        super().__init__("cursor", told, default=cursors.Cursor(), format="z4j-cursor")

    def read(self, given: str) -> cursors.Cursor:
        """The cursor, if some list gave it out."""
        try:
            key = cursors.Key.from_token(given[1:])
        except ValueError:
            raise ValueError(_STRANGE) from None
        if given[:1] == _BEFORE:
            return cursors.Cursor(before=key)
        if given[:1] == _AFTER:
            return cursors.Cursor(after=key)
        raise ValueError(_STRANGE)


#: Rows of a page.
LIMIT: Final = Whole("limit", "How many rows at most.", default=50, maximum=200)
CURSOR: Final = Cursor()
#: What every list takes.
PAGE: Final = (LIMIT, CURSOR)


class Page(serializers.Serializer[Any]):
    """A page of a list."""

    #: The serializer of a row.
    row: ClassVar[Any]

    next = serializers.URLField(allow_null=True, help_text="The page that follows.")
    previous = serializers.URLField(allow_null=True, help_text="The page before.")


def page_of(row: Any, nouns: str) -> type[Page]:
    """The serializer of a page.

    Args:
        row: The serializer of a row.
        nouns: What the rows are.
    """
    name = row.__name__.removesuffix("Serializer")
    members = {
        "__doc__": f"A page of {nouns}.",
        "row": row,
        "results": row(many=True, help_text=f"The {nouns}."),
    }
    return type(f"{name}Page", (Page,), members)


def wrong_cursor() -> problems.Invalid:
    """The problem of a cursor that this list did not give out."""
    return problems.Invalid([{"name": CURSOR.name, "reason": _STRANGE}])


def body(
    request: Request, page: queries.Page[Any], results: Sequence[Any], **more: Any
) -> dict[str, Any]:
    """A list's answer.

    Args:
        request: Which asks.
        page: With ``following`` and ``preceding``.
        results: The rows as they are shown.
        **more: Further members.
    """
    following, preceding = page.following, page.preceding
    return {
        "next": base.here(request, cursor=_BEFORE + following.token()) if following else None,
        "previous": base.here(request, cursor=_AFTER + preceding.token()) if preceding else None,
        "results": results,
        **more,
    }
