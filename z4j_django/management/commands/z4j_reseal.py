"""``manage.py z4j_reseal``: seal kept messages under the new ``SECRET_KEY``."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from z4j_django import conf
from z4j_django.management import stopping
from z4j_django.secrets import sealing
from z4j_django.store import resealing


class Command(BaseCommand):
    """Works in small batches; may be stopped at any time, and run again."""

    help = "Seals the kept messages that are under a fallback of SECRET_KEY under the key itself."
    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument(
            "--dry-run", action="store_true", help="open each message, and change nothing"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reseal; exit with 1 where a message can't be opened, or where it was stopped."""
        if not sealing.has_key():
            raise CommandError("The project has no SECRET_KEY.")
        try:
            tally, complete = self._reseal(conf.settings.PROJECT, options["dry_run"])
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database did not do it: {error}") from error
        shown = {
            "project": conf.settings.PROJECT,
            "dry_run": options["dry_run"],
            "complete": complete,
            "current": tally.current,
            "resealed": tally.resealed,
            "lost": tally.lost,
            "lost_first": tally.named,
        }
        self.stdout.write(json.dumps(shown, indent=2) if options["json"] else _in_words(shown))
        if tally.lost or not complete:
            sys.exit(1)

    def _reseal(self, project: str, dry_run: bool) -> tuple[resealing.Tally, bool]:
        """What was done, and whether that is all."""
        tally = resealing.Tally()
        with stopping.told_to_stop() as stop:
            for tally in resealing.reseal(project, dry_run=dry_run):
                if self.stderr.isatty():
                    self._show(f"\r{tally.seen:,} messages, {tally.resealed:,} sealed anew ")
                if stop.is_set():
                    break
        if self.stderr.isatty():
            self._show("\r\x1b[K")
        return tally, not stop.is_set()

    def _show(self, text: str) -> None:
        self.stderr.write(text, ending="")
        self.stderr.flush()


def _in_words(shown: dict[str, Any]) -> str:
    verb = "Would seal" if shown["dry_run"] else "Sealed"
    lines = [f"{verb} {shown['resealed']:,} messages anew; {shown['current']:,} needed nothing."]
    if shown["lost"]:
        lines.append(f"{shown['lost']:,} can't be opened, and are left as they are. The first:")
        lines += [f"  {named}" for named in shown["lost_first"]]
    if not shown["complete"]:
        lines.append("It was stopped before its end; run it again to go on.")
    return "\n".join(lines)
