"""``manage.py z4j_attention``: what is wrong now, for people, cron and Nagios."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from z4j_django.conditions import attention
from z4j_django.conditions.attention import Attention
from z4j_django.conf import settings
from z4j_django.diagnosis import records
from z4j_django.management import listing
from z4j_django.models import ConditionRecord
from z4j_django.secrets.masking import mask_text
from z4j_django.values import duration
from z4j_django.watch import lease, on_demand
from z4j_django.watch.watching import Watch

#: The exit statuses, as Nagios has them.
QUIET: Final = 0
WARNING: Final = 1
CRITICAL: Final = 2
UNKNOWN: Final = 3
_WORDS: Final = {QUIET: "OK", WARNING: "WARNING", CRITICAL: "CRITICAL", UNKNOWN: "UNKNOWN"}
#: How old the last round may be for its result to count.
_FRESH: Final = timedelta(minutes=2)
#: Seconds for what its own round has begun to send: with its threads it would be cut off.
_FINISH: Final = 12.0
_FIELDS: Final = (
    *("key", "title", "severity", "subject_kind", "subject", "since", "last_seen", "ended_at"),
    *("evidence", "numbers", "remedy", "tasks"),
)


class Command(BaseCommand):
    """Tells the conditions that hold."""

    help = "Tells what is wrong now. Exits with 0 for nothing, 1 warnings, 2 critical, 3 unknown."
    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument(
            "--timeout", type=float, default=10.0, metavar="S", help="seconds for the database"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it; the exit status says how bad it is."""
        looked: list[Watch] = []
        status, found, problem = _read(options["timeout"], looked)
        if options["json"]:
            shown = {"status": _WORDS[status].lower(), "problem": problem, **_document(found)}
            self.stdout.write(json.dumps(shown, indent=2, cls=DjangoJSONEncoder))
        else:
            self.stdout.write("\n".join(_lines(status, found, problem)))
        self.stdout.flush()
        for watch in looked:
            watch.finish(_FINISH)
        sys.exit(status)


def _read(seconds: float, looked: list[Watch]) -> tuple[int, Attention | None, str]:
    """The exit status, what is stored, and why that is not known or too old.

    Args:
        seconds: How long the database may take.
        looked: Gets what has looked, where nobody else did.
    """

    def read() -> tuple[Attention, timedelta | None]:
        if (watch := on_demand.refresh(settings.PROJECT)) is not None:
            looked.append(watch)
        found = attention.read(settings.PROJECT)
        return found, lease.now() - found.checked_at if found.checked_at else None

    try:
        found, age = records.read(seconds, read)
    except Exception as error:  # whatever a driver raises
        return UNKNOWN, None, mask_text(f"{type(error).__name__}: {error}")
    if age is None or abs(age) > _FRESH:
        ago = "ever" if age is None else f"for {duration(age.total_seconds())}"
        return UNKNOWN, found, f"Nobody has looked {ago}."
    if found.counts["critical"]:
        return CRITICAL, found, ""
    return (WARNING if found.open else QUIET), found, ""


def _document(found: Attention | None) -> dict[str, Any]:
    if found is None:
        return {"checked_at": None, "open": []}
    return {
        "checked_at": found.checked_at,
        "open": [{name: getattr(one, name) for name in _FIELDS} for one in found.open],
    }


def _lines(status: int, found: Attention | None, problem: str) -> list[str]:
    counts = found.counts if found else {}
    told = ", ".join(f"{counts[name]} {name}" for name in ("critical", "warning") if counts)
    lines = [f"{_WORDS[status]}: {problem or told or 'nothing is wrong.'}"]
    for one in found.open if found else ():
        lines += _told(one)
    return lines


def _told(one: ConditionRecord) -> list[str]:
    evidence = listing.printable(one.evidence)
    since = listing.cell(one.since)
    return [f"{one.severity:<8} {one.title}: {evidence} (since {since})", f"         {one.remedy}"]
