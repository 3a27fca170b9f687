"""``manage.py z4j_dismiss_journal``: a journal that nobody will ship any more."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from z4j_django import operations, permissions, verbs
from z4j_django.management import operating
from z4j_django.operations import journals


class Command(operating.OperatingCommand):
    """Takes it off the record, so that it is no trouble any more."""

    help = (
        "Dismisses a journal that a changed setting or a removed host left behind. Its files "
        "stay; a shipper that reports it again puts it back on record."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The journal, as ``z4j_status`` names it."""
        parser.add_argument("host", metavar="HOST")
        parser.add_argument("directory", metavar="DIRECTORY")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Dismiss it."""
        verb, place = verbs.DISMISS_JOURNAL.name, f"{options['host']}:{options['directory']}"
        with operating.told_in_words():
            actor = operating.find_actor(options)
            permissions.require(actor, verb)
            found = journals.preview(place)
            if options["dry_run"]:
                self.preview([(place, found)], options)
                return
            self.confirm(f"{place} will be taken off the record. {found.reason}", options)
            how: dict[str, Any] = {"project": options["project"], "surface": "command"}
            self.finish(operations.perform(verb, place, {}, actor=actor, **how), options)
