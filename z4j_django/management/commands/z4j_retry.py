"""``manage.py z4j_retry``: publish the original messages of tasks again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from z4j_django.management import operating, targeting
from z4j_django.operations import reissuing

_OPTIONS = ("countdown", "eta", "expires", "force", "keep_ids")


class Command(operating.OperatingCommand):
    """Retries tasks by their ids, or by a filter."""

    help = "Sends tasks again as they were sent at first, each under a new id."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        targeting.add_arguments(parser)
        # Django has its own use for an option whose name is "args".
        parser.add_argument(
            "--args", dest="new_args", metavar="JSON", help="other arguments, as a JSON array"
        )
        parser.add_argument(
            "--kwargs",
            dest="new_kwargs",
            metavar="JSON",
            help="other keyword arguments, as a JSON object",
        )
        parser.add_argument("--to-queue", metavar="NAME", help="send it to another queue")
        parser.add_argument(
            "--countdown", type=float, metavar="S", help="seconds after which it may run"
        )
        parser.add_argument("--eta", metavar="MOMENT", help="when it may run, as ISO 8601")
        parser.add_argument(
            "--expires",
            metavar="S|MOMENT",
            help="seconds, or the moment, after which it is not to run any more",
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="also what has not ended; a chord's member without its chord",
        )
        parser.add_argument(
            "--keep-ids",
            action="store_true",
            help="leave the ids of the tasks that follow it as they are",
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Retry; exit with 1 unless all of it was done."""
        with operating.told_in_words():
            given = {name: options[name] for name in _OPTIONS} | {"queue": options["to_queue"]}
            given["expires"] = _seconds_or_moment(given["expires"])
            checked = reissuing.Options.checked(**given)
            arguments = {
                "args": operating.parsed_json(options["new_args"], "--args", list),
                "kwargs": operating.parsed_json(options["new_kwargs"], "--kwargs", dict),
            }
            targeting.act(self, "retry", options, checked.as_json(), arguments)


def _seconds_or_moment(text: str | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
