"""What every list has around its rows."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers


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
