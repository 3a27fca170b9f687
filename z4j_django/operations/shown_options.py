"""Options as the audit trail shows them: of arguments, a redacted copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from z4j_django import wiring
from z4j_django.conf import settings
from z4j_django.control import bodies
from z4j_django.options import Options
from z4j_django.secrets import masking, redaction


def shown(read: Options, tasks: Iterable[str]) -> dict[str, Any]:
    """What was given.

    Args:
        read: The options.
        tasks: The names of the tasks that their arguments are for.
    """
    found = read.as_json()
    if "kwargs" in found:
        found["kwargs"] = redaction.redact(found["kwargs"], rules=settings.redaction)
    if "args" in found:
        positions = _secret_positions(found["args"], tasks)
        found["args"] = redaction.redact_args(found["args"], positions, rules=settings.redaction)
    return found


def _secret_positions(args: Sequence[Any], tasks: Iterable[str]) -> list[str]:
    """The names of those positional parameters that are secret for any of the tasks."""
    positions = [""] * len(args)
    for task in tasks if args else ():
        app = wiring.find_celery_app().app
        for place, name in enumerate(bodies.parameter_names(app, task, len(args))):
            if masking.is_secret_name(name[: masking.NAME_LENGTH], settings.redaction):
                positions[place] = name
    return positions
