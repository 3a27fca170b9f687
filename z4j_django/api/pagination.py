"""Pages by key: a cursor names a row, so that rows which come meanwhile move nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.request import Request

from z4j_django.api import base, openapi, problems
from z4j_django.queries import keyset, lists

M = TypeVar("M", bound=Model)

#: Rows of a page where none are asked for, and at most.
DEFAULT: Final = 50
MAXIMUM: Final = 200
#: Parameters of every list.
PARAMETERS: Final = ("limit", "cursor")

#: The same for the schema.
DESCRIBED: Final = (
    openapi.parameter(
        "limit",
        "How many rows at most.",
        kind="integer",
        example=20,
        minimum=1,
        maximum=MAXIMUM,
        default=DEFAULT,
    ),
    openapi.parameter(
        "cursor",
        "Where the page begins: take `next` and `previous` of an answer as they are.",
        format="z4j-cursor",
    ),
)

_BEFORE: Final = "b"
_AFTER: Final = "a"


def limit_of(request: Request, default: int = DEFAULT, maximum: int = MAXIMUM) -> int:
    """How many rows ``?limit=`` asks for.

    Raises:
        Invalid: If it is no number from 1 to ``maximum``.
    """
    given = request.query_params.get("limit")
    if given is None:
        return default
    if given.isascii() and given.isdigit() and len(given) < 10 and 0 < int(given) <= maximum:
        return int(given)
    reason = f"It has to be a whole number from 1 to {maximum}."
    raise problems.Invalid([{"name": "limit", "reason": reason}])


def place_of(request: Request) -> keyset.Place:
    """Where ``?cursor=`` says that the page begins.

    Raises:
        Invalid: If no list gave out such a cursor.
    """
    given = request.query_params.get("cursor")
    if given is None:
        return keyset.Place()
    try:
        key = keyset.Key.from_token(given[1:])
    except ValueError:
        key = None
    if key is not None and given[:1] == _BEFORE:
        return keyset.Place(before=key)
    if key is not None and given[:1] == _AFTER:
        return keyset.Place(after=key)
    raise wrong_cursor()


def wrong_cursor() -> problems.Invalid:
    """The problem of a cursor that this list did not give out."""
    reason = "It is no cursor of this list; take those in next and previous as they are."
    return problems.Invalid([{"name": "cursor", "reason": reason}])


def body(request: Request, page: Any, results: Sequence[Any], **more: Any) -> dict[str, Any]:
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


def id_page(
    request: Request,
    queryset: QuerySet[M],
    ways: Sequence[keyset.Way] = (),
    *,
    default: int = DEFAULT,
    maximum: int = MAXIMUM,
) -> lists.Page[M]:
    """The page of ``queryset`` that is asked for, newest rows first.

    Args:
        request: With ``limit`` and ``cursor``.
        queryset: Which rows may be on it.
        ways: The indexes that lead to them; without any the primary key's.
        default: Rows where none are asked for.
        maximum: Rows at most.

    Raises:
        Invalid: If a parameter can't be.
    """
    place = place_of(request)
    return lists.page(queryset, place, limit_of(request, default, maximum), ways)
