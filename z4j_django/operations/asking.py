"""What is asked for: may it be, and with these options?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from z4j_django import options, permissions, verbs
from z4j_django.exceptions import OptionsError
from z4j_django.operations import auditing


def asked(
    verb: str, given: Mapping[str, Any], *, actor: permissions.Actor, surface: auditing.Surface
) -> Any:
    """The options of a verb, where ``actor`` may do it and it can be done with them.

    Raises:
        PermissionDenied: If ``actor`` may not: before anything is said of the options.
        OperationError: As :func:`options_of` says.
    """
    permissions.require(actor, verb)
    return options_of(verb, given, surface=surface)


def options_of(
    verb: str, given: Mapping[str, Any], *, surface: auditing.Surface, in_bulk: bool = False
) -> options.Options:
    """The options of a verb, if it can be done with them.

    Args:
        verb: Its name.
        given: The options by their names, as they were asked for.
        surface: By which way. A program's requests say the offset of each moment and the whole
            name of a signal; people, and Python, may leave out the project's offset, and ``SIG``.
        in_bulk: Whether they are for many targets.

    Raises:
        OptionsError: If one can't be; it is named.
        OperationError: If a moment is too far off.
    """
    kind = verbs.VERBS[verb].options
    if in_bulk:
        once = [one.name for one in options.described(kind).values() if one.once]
        if wrong := [name for name in once if name in given]:
            raise OptionsError(dict.fromkeys(wrong, "This can't be said of many at once."))
    zone = None if surface == "api" else timezone.get_current_timezone()
    found = options.read(kind, given, zone)
    options.require_near(found, datetime.now(UTC))  # theirs are aware, with or without USE_TZ
    return found
