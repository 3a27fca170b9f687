"""What may be said of a rule, in ``Z4J["ALERTS"]["RULES"]`` and in the admin alike. Pure."""

from __future__ import annotations

import re
import zoneinfo
from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from z4j_django.options import Options, option
from z4j_django.values import LONGEST_DELAY, SHORT, is_storable

#: Patterns, conditions and channels that a rule may name.
NAMED: Final = 100
#: Seconds that something has to hold before it is told.
AFTER: Final = 30.0
#: Times an hour that a rule acts, and times that it acts on one thing that goes on.
HOURLY: Final = 5
BREAKER: Final = 3
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def _texts(given: Any) -> str:
    if len(given) > NAMED:
        return f"This has at most {NAMED} members."
    if not all(isinstance(one, str) and one and is_storable(one) for one in given):
        return f"Its members are texts of 1 to {SHORT} characters."
    return ""


def _clock(text: str) -> str:
    return "" if _CLOCK.fullmatch(text) else "This has to be a time of the day, such as 22:00."


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return "There is no such time zone; one is called Europe/Berlin."
    return ""


_Texts = list[Any]
_Wait = Annotated[float, Meta(ge=0, le=LONGEST_DELAY)]
_Text = Annotated[str, Meta(max_length=SHORT)]
_Times = Annotated[int, Meta(ge=1, le=1_000)]


class RuleOptions(Options, frozen=True):
    """Of what whom is told, and when; without any of it all channels of all that is critical."""

    apart: ClassVar = ()

    conditions: Annotated[
        _Texts | UnsetType,
        option("The keys of the conditions that it is about. By default all.", check=_texts),
    ] = UNSET
    severity: Annotated[
        Literal["warning", "critical"],
        option("The least severity that is told: with `warning` what is critical, too."),
    ] = "critical"
    subjects: Annotated[
        _Texts | UnsetType,
        option(
            "Patterns of the names of queues, workers, tasks, schedules and so on that it is "
            "about, such as `mail.*`. By default all.",
            check=_texts,
        ),
    ] = UNSET
    channels: Annotated[
        _Texts | UnsetType,
        option("The names of the channels that are told. By default all.", check=_texts),
    ] = UNSET
    after: Annotated[
        _Wait, option("Seconds that it has to hold before it is told.", label="Told after")
    ] = AFTER
    repeat: Annotated[
        _Wait | UnsetType,
        option(
            "Seconds after which it is told again while it holds; `0` for never. By default four "
            "hours where it is critical, and never where it is a warning.",
            label="Told again after",
        ),
    ] = UNSET
    quiet_from: Annotated[
        _Text | UnsetType,
        option("When quiet hours begin, such as `22:00`. By default there are none.", check=_clock),
    ] = UNSET
    quiet_until: Annotated[
        _Text | UnsetType, option("When they end, such as `07:00`.", check=_clock)
    ] = UNSET
    quiet_zone: Annotated[
        _Text | UnsetType,
        option(
            "Their time zone, such as `Europe/Berlin`. By default `TIME_ZONE`.",
            check=_zone,
        ),
    ] = UNSET
    quiet_critical: Annotated[
        bool, option("Hold back what is critical in them, too.", label="Also critical")
    ] = False
    verb: Annotated[
        _Text | UnsetType,
        option(
            "What is done when it holds, such as `pause_queue`. By default nothing.",
            label="Operation",
        ),
    ] = UNSET
    verb_options: Annotated[
        dict[str, Any] | UnsetType,
        option(
            "The options of the verb.", label="Options of the operation", additionalProperties={}
        ),
    ] = UNSET
    is_dry_run: Annotated[bool, option("Only write down what would be done.", label="Dry run")] = (
        True
    )
    hourly_limit: Annotated[_Times, option("How often an hour it is done, at most.")] = HOURLY
    breaker_limit: Annotated[
        _Times,
        option("How often it is done to one thing that goes on, at most; then the rule stops."),
    ] = BREAKER
