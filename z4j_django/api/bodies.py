"""The bodies of requests that are not the options of one verb."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from z4j_django import options, verb_options, verbs
from z4j_django.conf import settings
from z4j_django.exceptions import OptionsError
from z4j_django.operations import workers
from z4j_django.options import Moment, Options, option
from z4j_django.values import GREATEST_ID, SHORT

_Id = Annotated[
    str, Meta(min_length=1, max_length=SHORT, extra_json_schema={"format": "z4j-task-id"})
]
_Hostname = Annotated[
    str, Meta(min_length=1, max_length=SHORT, extra_json_schema={"format": "z4j-worker"})
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


class Workers(Options, frozen=True):
    """Which workers something is done to."""

    hostnames: Annotated[
        Annotated[list[_Hostname], Meta(min_length=1, max_length=workers.LIMIT)] | UnsetType,
        option("The workers, by the names that they give themselves."),
    ] = UNSET
    all: Annotated[bool, option("Or all of them that are online on record at this moment.")] = False


def workers_of(members: Mapping[str, Any]) -> list[str] | None:
    """The workers that a body names; None for all.

    Raises:
        OptionsError: If it does in no way, or in two.
    """
    found = options.part(Workers, members)
    if (found.hostnames is UNSET) == (not found.all):
        raise OptionsError({"hostnames": "Give either hostnames or all."})
    return workers.ALL if found.all else options.given(found.hostnames)


@dataclass(frozen=True)
class Forms:
    """A body that has another form by the verb that it names.

    Attributes:
        name: Of the forms.
        noun: What they are for.
        kinds: What each has in it beside the verb, by the verb.
        not_together: JSON schemas that what names the targets may not match.
    """

    name: str
    noun: str
    kinds: Mapping[str, tuple[type[Options], ...]]
    not_together: tuple[Mapping[str, Any], ...]


def bulk_forms() -> Forms:
    """The bodies of each verb that can be done in bulk."""
    kinds: dict[str, tuple[type[Options], ...]] = {
        verb.name: (Targets, verb_options.BulkOptions, verb.options) for verb in verbs.in_bulk()
    }
    # By their ids, or by a filter with what belongs to it. Said by what may not be: of a oneOf,
    # generators of clients make no model.
    apart = tuple({"required": ["task_ids", name]} for name in ("filter", "until", "asked_at"))
    return Forms("Bulk", "tasks", kinds, (*apart, options.none_of(Targets, "task_ids", "filter")))


def worker_forms() -> Forms:
    """The bodies of each verb that is done to workers."""
    kinds = {verb.name: (Workers, verb.options) for verb in verbs.of("worker")}
    both = {
        "required": ["hostnames", "all"],
        "properties": {"all": {"type": "boolean", "enum": [True]}},
    }
    return Forms("Steer", "workers", kinds, (both, options.none_of(Workers, "hostnames", "all")))
