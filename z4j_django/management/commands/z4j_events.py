"""``manage.py z4j_events``: records workers that do not have the app."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from z4j_django import wiring
from z4j_django.agent import bootstrap, event_receiver
from z4j_django.exceptions import DiscoveryError
from z4j_django.management import stopping


class Command(BaseCommand):
    """Listens to Celery's own events until it is stopped."""

    help = (
        "Records workers that do not have this app, from the events that they send with -E. "
        "Ends on SIGTERM or Ctrl-C; says once a minute what it has taken."
    )

    # What workers say must be taken down even where a check fails.
    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("--json", action="store_true", help="print each summary as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen, and say what came of it."""
        agent = bootstrap.installed()
        if agent is None:
            raise CommandError(
                "z4j is switched off: see Z4J['ENABLED'] and the variable Z4J_DISABLED."
            )
        try:
            app = wiring.find_celery_app().app
        except DiscoveryError as error:
            raise CommandError(str(error)) from error
        say = self.stderr.write if options["json"] else self.stdout.write
        receiver = event_receiver.Receiver(app, agent, say)

        def summarise() -> None:
            self.stdout.write(_summary(receiver, as_json=options["json"]))

        with stopping.told_to_stop() as stop:
            receiver.run(stop, summarise)
        summarise()


def _summary(receiver: event_receiver.Receiver, *, as_json: bool) -> str:
    counts, lost = receiver.counts, receiver.agent.losses
    if as_json:
        return json.dumps(
            {
                "taken": counts.taken,
                "left_out": counts.left_out,
                "odd": counts.odd,
                "lost": lost,
            }
        )
    return (
        f"{counts.taken} events taken, {counts.left_out} left to workers that record themselves, "
        f"{counts.odd} odd, {lost} lost"
    )
