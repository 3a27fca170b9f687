"""``manage.py z4j_doctor``: walk the way from the settings to a record."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from z4j_django.diagnosis.findings import Finding, Visit
from z4j_django.diagnosis.walk import walk

_INDENT = " " * 25


class Command(BaseCommand):
    """Says of each step whether it is sound, and what to do where it is not."""

    help = "Finds out why tasks are not on record. Exits with 1 where something is broken."
    # Broken projects are what it is for; their checks are among its steps.
    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument(
            "--no-probe", action="store_false", dest="probe", help="send no task to see it recorded"
        )
        parser.add_argument(
            "--timeout", type=float, default=10.0, metavar="S", help="seconds for each thing asked"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Walk, and print."""
        found: list[tuple[str, Finding]] = []
        for name, finding in walk(Visit(timeout=options["timeout"], probe=options["probe"])):
            found.append((name, finding))
            if not options["json"]:
                self._print(name, finding)
        if options["json"]:
            rows = [
                {"step": name, "level": one.level, "what": one.what, "remedy": one.remedy}
                for name, one in found
            ]
            self.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False))
        if any(finding.level == "error" for _, finding in found):
            sys.exit(1)

    def _print(self, name: str, finding: Finding) -> None:
        style = {"ok": self.style.SUCCESS, "warning": self.style.WARNING, "error": self.style.ERROR}
        level = style[finding.level](f"{finding.level:<8}")
        self.stdout.write(f"{level} {name:<15} {finding.what}")
        if finding.remedy:
            self.stdout.write(f"{_INDENT}-> {finding.remedy}")
        self.stdout.flush()
