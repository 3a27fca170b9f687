"""The bodies of requests that are not the options of one verb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from z4j_django import options, verb_options, verbs
from z4j_django.conf import settings
from z4j_django.exceptions import OptionsError
from z4j_django.options import Moment, Options, option
from z4j_django.values import GREATEST_ID, SHORT

_Id = Annotated[
    str, Meta(min_length=1, max_length=SHORT, extra_json_schema={"format": "z4j-task-id"})
]
_Filter = Annotated[
    str, Meta(min_length=1, max_length=2_000, extra_json_schema={"format": "z4j-filter"})
]
#: It has a successor.
_Row = Annotated[int, Meta(ge=0, le=GREATEST_ID - 1)]


def _few(ids: Any) -> str:
    if len(ids) > settings.BULK_LIMIT:
        return (
            f"At most {settings.BULK_LIMIT:,} are taken at once (Z4J['BULK_LIMIT']); these are "
            f"{len(ids):,}."
        )
    return ""


def _said(text: str) -> str:
    return "" if text.strip() else "It names no filter."


class Matching(Options, frozen=True):
    """The tasks that a filter finds."""

    filter: Annotated[
        _Filter, option("The filter: `state:FAILURE name:shop.* sent:<2h`.", check=_said)
    ]


class Targets(Options, frozen=True):
    """Which tasks many at once are."""

    task_ids: Annotated[
        Annotated[list[_Id], Meta(min_length=1)] | UnsetType,
        option("The tasks; `Z4J['BULK_LIMIT']` of them at most, 10,000 by default.", check=_few),
    ] = UNSET
    filter: Annotated[
        _Filter | UnsetType,
        option("Or a filter: the newest tasks that it finds, as many at most.", check=_said),
    ] = UNSET
    until: Annotated[
        _Row | UnsetType,
        option("With a filter, from its preview: tasks that came on record later stay out."),
    ] = UNSET
    asked_at: Annotated[
        Moment | UnsetType,
        option("With a filter, from its preview: ages such as `sent:>2h` count from here."),
    ] = UNSET


def targets_of(members: Mapping[str, Any]) -> Targets:
    """The tasks that a body names, in one way.

    Raises:
        OptionsError: If it does in none, or in two.
    """
    found = options.part(Targets, members)
    if (found.task_ids is UNSET) == (found.filter is UNSET):
        raise OptionsError({"filter": "Give either task_ids or a filter."})
    for name in ("until", "asked_at"):
        if found.filter is UNSET and getattr(found, name) is not UNSET:
            raise OptionsError({name: "This is for a filter."})
    return found


def bulk_forms() -> dict[str, tuple[type[Options], ...]]:
    """What the body of each verb that can be done in bulk has in it, beside the verb."""
    return {
        verb.name: (Targets, verb_options.BulkOptions, verb.options) for verb in verbs.in_bulk()
    }
