"""``manage.py z4j_worker``: do something to workers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from z4j_django import operations, verbs
from z4j_django.management import operating, option_arguments
from z4j_django.operations import auditing, workers


class Command(operating.OperatingCommand):
    """Does a verb to the workers that are named, or to all that are online."""

    help = "Does something to workers, by their names, or to all that are online on record."

    def add_arguments(self, parser: CommandParser) -> None:
        """A verb, which has its own options."""
        choices = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        for verb in verbs.of("worker"):
            one = choices.add_parser(verb.name, help=verb.summary)
            one.add_argument(
                "hostnames", nargs="*", metavar="HOST", help="the workers, as they name themselves"
            )
            one.add_argument(
                "--all", action="store_true", help="all that are online on record at this moment"
            )
            option_arguments.add(one, verb.options)
            super().add_arguments(one)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; exit with 1 unless all of it was done."""
        if options["all"] == bool(options["hostnames"]):
            raise CommandError("Name workers, or --all.", returncode=operating.USAGE)
        verb = verbs.VERBS[options["verb"]]
        given = option_arguments.given(verb.options, options)
        with operating.told_in_words():
            actor = operating.find_actor(options)
            workers.asked(verb.name, given, actor=actor, surface="command")
            chosen = workers.ALL if options["all"] else options["hostnames"]
            project = auditing.own_project(options["project"])
            named = workers.names(project, chosen)
            if options["dry_run"]:
                self.preview(workers.preview(project, named), options)
                return
            if verb.dangerous:
                self.confirm(f"{verb.label}: {', '.join(named)}.", options)
            how: dict[str, Any] = {"project": project, "surface": "command"}
            self.finish(operations.perform(verb.name, named, given, actor=actor, **how), options)
