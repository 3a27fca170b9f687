"""``manage.py z4j_import_results``: what django-celery-results has kept becomes records."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

from z4j_django.management import imported_results, operating
from z4j_django.management.imported_results import APP, BATCH, Import


class Command(BaseCommand):
    """Imports them, from where it was left."""

    help = (
        "Brings the task results of django-celery-results in, as records. What is on record stays "
        "as it is; what was cut off goes on where it stopped."
    )
    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument(
            "--from-start", action="store_true", help="look at all rows once more, from the first"
        )
        parser.add_argument(
            "--batch", type=int, default=BATCH, metavar="N", help=f"rows at once ({BATCH:,})"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import all there are; exit with 1 where some can't be stored."""
        if not apps.is_installed(APP):
            raise CommandError(f"{APP} is not installed: there is nothing to import.")
        if not 1 <= options["batch"] <= 10 * BATCH:
            raise CommandError(
                f"--batch is a number from 1 to {10 * BATCH:,}.", returncode=operating.USAGE
            )
        with operating.told_in_words():
            run = Import()
            if options["from_start"]:
                run.begin_anew()
            self._run(run, options)
        counts = run.counts
        if options["json"]:
            self.stdout.write(json.dumps({"place": run.place, **counts}, indent=2))
        else:
            self.stdout.write(
                f"{counts['imported']:,} imported, {counts['already']:,} on record already, "
                f"{counts['unfinished']:,} left out that have not ended, "
                f"{counts['unstorable']:,} that can't be stored."
            )
        if counts["unstorable"]:
            sys.exit(1)

    def _run(self, run: Import, options: dict[str, Any]) -> None:
        progress = None
        if self.stderr.isatty():
            total = imported_results.rows().filter(pk__gt=run.place).count()
            progress = operating.Progress(self.stderr)
        done = 0
        for count in run.steps(options["batch"]):
            done += count
            if progress is not None:
                progress.show(done, max(total, done))
