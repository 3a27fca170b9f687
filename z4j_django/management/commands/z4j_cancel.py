"""``manage.py z4j_cancel``: have the workers refuse tasks that wait, or end those that run."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from z4j_django import verbs
from z4j_django.management import operating, option_arguments, targeting


class Command(operating.OperatingCommand):
    """Cancels or terminates tasks by their ids, or by a filter."""

    help = "Has the workers refuse tasks; with --terminate, ends those that run already."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        targeting.add_arguments(parser)
        parser.add_argument(
            "--terminate", action="store_true", help="send a signal to what runs already"
        )
        option_arguments.add(parser, verbs.TERMINATE.options)
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Cancel; exit with 1 unless all of it was done."""
        verb = verbs.TERMINATE if options["terminate"] else verbs.CANCEL
        given = option_arguments.given(verbs.TERMINATE.options, options)
        if given and verb is verbs.CANCEL:
            raise CommandError("--signal is for --terminate.", returncode=operating.USAGE)
        with operating.told_in_words():
            targeting.act(self, verb, options, given)
