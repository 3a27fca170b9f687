"""``manage.py demo``: the shop at work."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from kombu.exceptions import OperationalError as BrokerError

from example_project.shop import once, prepare, site

_SHOWN = 10


class Command(BaseCommand):
    """Prepares the database, then runs the site or one measured workload."""

    help = (
        "Runs worker, beat and site until Ctrl-C. With --once: runs a mixed workload, compares "
        "the records with the tasks' own ledger, and exits 1 on any difference."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds the options."""
        parser.add_argument("--once", action="store_true", help="one workload, then the table")
        parser.add_argument("--tasks", type=int, default=500, help="runs of tasks (with --once)")
        parser.add_argument("--seed", type=int, default=1, help="of the workload (with --once)")
        parser.add_argument("--timeout", type=float, default=300, help="seconds (with --once)")
        parser.add_argument("--port", type=int, default=8000, help="of the site on 127.0.0.1")

    def handle(self, **options: Any) -> None:
        """Runs what was asked for."""
        if prepare.database():
            self.stdout.write("Made the tables.")
        try:
            if options["once"]:
                self._once(options["tasks"], options["seed"], options["timeout"])
            else:
                prepare.login()
                prepare.schedule()
                site.run(options["port"], self.stdout.write)
        except BrokerError as error:
            raise CommandError(f"No connection to the broker: {error}") from error

    def _once(self, tasks: int, seed: int, timeout: float) -> None:
        if tasks < 1:
            raise CommandError("--tasks wants a number of at least 1.")
        differences = once.Run(tasks, seed, timeout, self.stdout.write).execute()
        if not differences:
            self.stdout.write(self.style.SUCCESS("Records and ledger agree."))
            return
        named = "\n".join(f"  {difference}" for difference in differences[:_SHOWN])
        raise CommandError(f"{len(differences)} differences, the first of them:\n{named}")
