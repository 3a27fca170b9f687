"""``manage.py z4j_dismiss_journal``: a journal that nobody will ship any more."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from z4j_django.management import operating
from z4j_django.operations import journals
from z4j_django.queries import health


class Command(BaseCommand):
    """Takes it off the record, so that it is no trouble any more."""

    help = (
        "Dismisses a journal that a changed setting or a removed host left behind. Its files "
        "stay; a shipper that reports it again puts it back on record."
    )
    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """The journal, as ``z4j_status`` names it."""
        parser.add_argument("host", metavar="HOST")
        parser.add_argument("directory", metavar="DIRECTORY")

    def handle(self, *args: Any, **options: Any) -> None:
        """Dismiss it."""
        with operating.told_in_words():
            found = journals.dismiss(
                options["host"], options["directory"], actor=operating.program()
            )
        self.stdout.write(
            f"Dismissed {found.host}:{found.directory}, last heard of {health.span(found.silence)} "
            f"ago with {found.pending:,} bytes to store."
        )
