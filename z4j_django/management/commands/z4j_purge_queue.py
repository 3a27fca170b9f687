"""``manage.py z4j_purge_queue``: empty a queue, and put back what was in it."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from z4j_django import operations, permissions
from z4j_django.management import operating
from z4j_django.operations import auditing, queues, restoring


class Command(operating.OperatingCommand):
    """Purges a queue by its name, or restores a purge by its number."""

    help = "Takes the messages out of a queue and keeps them; with --restore, puts them back."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("queue", nargs="?", metavar="NAME", help="the queue's name")
        parser.add_argument(
            "--confirm", metavar="NAME", help="the name once more, instead of typing it when asked"
        )
        parser.add_argument(
            "--restore", type=int, metavar="OPERATION", help="put back what this operation purged"
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Purge or restore; exit with 1 unless all of it was done."""
        if (options["queue"] is None) == (options["restore"] is None):
            raise CommandError("Name a queue, or --restore.", returncode=operating.USAGE)
        with operating.told_in_words():
            actor = operating.find_actor(options)
            if options["restore"] is None:
                self._purge(actor, options)
            else:
                self._restore(actor, options)

    def _purge(self, actor: permissions.Actor, options: dict[str, Any]) -> None:
        permissions.require(actor, "purge_queue")
        name = options["queue"]
        count = queues.count_for(name, "purge")
        if options["dry_run"]:
            would = auditing.done(f"{count:,} messages")
            self.preview([(name, would)], options)
            return
        operation = operations.purge_queue(
            name,
            actor=actor,
            confirm=self._typed_back(name, count, options),
            project=options["project"],
            progress=self.progress(),
            surface="command",
        )
        self.finish(operation, options)

    def _restore(self, actor: permissions.Actor, options: dict[str, Any]) -> None:
        permissions.require(actor, "restore")
        name, count = restoring.preview(options["restore"])
        if options["dry_run"]:
            self.preview([(name, auditing.done(f"{count:,} messages"))], options)
            return
        self.confirm(f"{count:,} messages will be put back into the queue {name!r}.", options)
        operation = operations.restore(
            options["restore"], actor=actor, progress=self.progress(), surface="command"
        )
        self.finish(operation, options)

    def _typed_back(self, name: str, count: int, options: dict[str, Any]) -> str:
        """The queue's name, as whoever asks for the purge gives it a second time."""
        confirmed: str | None = options["confirm"]
        if confirmed is not None:
            return confirmed
        if options["yes"] or not sys.stdin.isatty():
            raise CommandError(
                f"To purge {count:,} messages, give the queue's name once more: --confirm NAME.",
                returncode=operating.USAGE,
            )
        self.stderr.write(
            f"{count:,} messages will be taken out of the queue {name!r}. Type its name to go on: ",
            ending="",
        )
        self.stderr.flush()
        return sys.stdin.readline().strip()
