"""The parameters of the lists beside that of tasks, and the row that an address names."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.request import Request

from z4j_django.api import openapi, problems
from z4j_django.values import PROJECT_LENGTH, SHORT

#: The project of what is asked for, for the schema.
PROJECT: Final = openapi.parameter(
    "project",
    "The project that it belongs to; by default this one.",
    maxLength=PROJECT_LENGTH,
    minLength=1,
)


def choice_of(request: Request, name: str, known: Collection[str]) -> str:
    """The word that a parameter gives; empty without it.

    Raises:
        Invalid: If it is none of those known.
    """
    given: str | None = request.query_params.get(name)
    if given is None:
        return ""
    if given not in known:
        reason = f"It has to be one of {', '.join(known)}."
        raise problems.Invalid([{"name": name, "reason": reason}])
    return given


def text_of(request: Request, name: str, shortest: int = 1) -> str:
    """The text that a parameter gives; empty without it.

    Raises:
        Invalid: If no record can have it.
    """
    given: str | None = request.query_params.get(name)
    if given is None:
        return ""
    if not shortest <= len(given) <= SHORT:
        reason = f"It has to have between {shortest} and {SHORT} characters."
        raise problems.Invalid([{"name": name, "reason": reason}])
    return given


def may_be(name: str) -> bool:
    """Whether a record can have ``name`` for its id or name."""
    return 0 < len(name) <= SHORT and "\0" not in name


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
