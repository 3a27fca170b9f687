"""The options of verbs as arguments of commands: made from their declarations."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from z4j_django import json_text, options
from z4j_django.management import operating


def add(parser: CommandParser, kind: type[options.Options]) -> None:
    """Add an argument for each option of ``kind``."""
    for one in options.described(kind).values():
        given: dict[str, Any] = {"dest": _dest(one), "help": _help(one)}
        match one.kind:
            case "flag":
                given["action"] = "store_true"
            case "choice":
                given |= {"choices": one.choices, "type": one.spelled}
            case "number":
                given |= {"type": float, "metavar": one.metavar}
            case "whole":
                given |= {"type": int, "metavar": one.metavar}
            case "seconds_or_moment":
                given |= {"type": _seconds_or_moment, "metavar": one.metavar}
            case _:
                given["metavar"] = one.metavar
        parser.add_argument(_flag(one), **given)


def given(kind: type[options.Options], arguments: dict[str, Any]) -> dict[str, Any]:
    """The options of ``kind`` that were given, by their own names.

    Raises:
        CommandError: If one is to be JSON, and is not, or not of its type.
    """
    found = {}
    for name, one in options.described(kind).items():
        value = arguments[_dest(one)]
        if value is None or value is False:
            continue
        found[name] = _value(one, value) if one.kind in ("list", "object") else value
    return found


def _value(one: options.Option, text: str) -> Any:
    try:
        value = json_text.read(text)
    except json_text.JSONTextError as error:
        raise CommandError(
            f"{_flag(one)} can't be taken: {error}.", returncode=operating.USAGE
        ) from None
    if not isinstance(value, list if one.kind == "list" else dict):
        raise CommandError(f"{_flag(one)} has to be {one.expected}", returncode=operating.USAGE)
    return value


def _flag(one: options.Option) -> str:
    return f"--{one.argument.replace('_', '-')}"


def _dest(one: options.Option) -> str:
    # Django has its own use for an option whose name is "args".
    return f"new_{one.name}" if one.once else one.argument


def _help(one: options.Option) -> str:
    default = f" By default {one.default}." if isinstance(one.default, str) else ""
    return f"{one.help}{default}".replace("`", "").replace("%", "%%")


def _seconds_or_moment(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
