"""``manage.py z4j_status``: how capture stands."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from z4j_django.diagnosis import status


class Command(BaseCommand):
    """Shows lag, shippers, losses and workers."""

    help = "Shows the journals, their lag, what was lost, and the workers."
    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument(
            "--timeout", type=float, default=10.0, metavar="S", help="seconds for the database"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it; exit with 1 where the database is away."""
        try:
            found = status.read(options["timeout"])
        except (OSError, ImproperlyConfigured) as error:
            raise CommandError(f"The journal can't be read: {error}") from error
        if options["json"]:
            shown = status.document(found)
            self.stdout.write(json.dumps(shown, indent=2, cls=DjangoJSONEncoder))
        else:
            self.stdout.write("\n".join(status.lines(found)))
        if found.health is None:
            sys.exit(1)
