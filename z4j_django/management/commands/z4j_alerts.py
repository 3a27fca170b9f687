"""``manage.py z4j_alerts``: who is told of what, and was; try a channel, silence a condition."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser

from z4j_django import operations, verbs
from z4j_django.alerts import rules, told
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conf import settings
from z4j_django.management import listing, operating, option_arguments
from z4j_django.models import AlertDelivery
from z4j_django.operations import alerting, asking, auditing
from z4j_django.queries.cursors import Cursor

#: Deliveries that are listed at most.
LIMIT: Final = 500
#: The verbs by their words, and what each is done to.
_VERBS: Final = {
    "test": (verbs.TEST_CHANNEL, "NAME", "the channel's name"),
    "silence": (verbs.SILENCE_ALERTS, "CONDITION", "the key of a condition, or all"),
    "unsilence": (verbs.END_SILENCE, "ID", "the silence's number, as list tells it"),
}
_CHANNEL: Final = ("name", "kind", "place", "source", "is_enabled", "fault")
_RULE: Final = (
    *("name", "source", "is_enabled", "severity", "conditions", "subjects", "channels", "after"),
    "repeat",
)
_SILENCE: Final = ("id", "condition", "subject", "created_by", "since", "until", "reason")
_DELIVERY: Final = (
    *("id", "created_at", "status", "state", "channel", "rule", "summary", "attempts", "answer"),
    "finished_at",
)
_SHORT: Final = ("id", "created_at", "status", "state", "channel", "rule", "summary", "answer")


class Command(operating.OperatingCommand):
    """Lists who is told of what, and what was told; or does a verb."""

    help = "Lists channels, rules and silences, or what was told; tries a channel; silences."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, to what."""
        subparsers = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
        summary = "List the channels, the rules and the silences that hold"
        self._add(subparsers, "list", summary)
        for name, (verb, metavar, help) in _VERBS.items():
            one = self._add(subparsers, name, verb.summary)
            one.add_argument("target", metavar=metavar, help=help)
            option_arguments.add(one, verb.options)
        one = self._add(subparsers, "deliveries", "List what was told, the newest first")
        one.add_argument("--channel", default="", metavar="NAME", help="to this channel")
        one.add_argument("--rule", default="", metavar="NAME", help="by this rule")
        states, keys = AlertDelivery.State.values, list(CONDITIONS)
        one.add_argument("--state", choices=states, default="", help="in this state")
        one.add_argument("--condition", choices=keys, default="", help="that tell of this")
        one.add_argument("--subject", default="", metavar="NAME", help="with --condition: of this")
        one.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (50)")

    def _add(self, subparsers: Any, name: str, summary: str) -> CommandParser:
        parser: CommandParser = subparsers.add_parser(
            name, help=summary.lower(), description=f"{summary}."
        )
        super().add_arguments(parser)
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        """List them, or act; exit with 1 unless it was done."""
        with operating.told_in_words():
            if options["what"] == "list":
                self._list(options)
            elif options["what"] == "deliveries":
                self._deliveries(options)
            else:
                self._act(_VERBS[options["what"]][0], options)

    def _act(self, verb: verbs.Verb, options: dict[str, Any]) -> None:
        target, asked = options["target"], option_arguments.given(verb.options, options)
        actor = operating.find_actor(options)
        asking.asked(verb.name, asked, actor=actor, surface="command")
        if options["dry_run"]:
            self.preview([(target, auditing.done(_would(verb, target, options)))], options)
            return
        how: dict[str, Any] = {"project": options["project"], "surface": "command"}
        self.finish(operations.perform(verb.name, target, asked, actor=actor, **how), options)

    def _list(self, options: dict[str, Any]) -> None:
        project = options["project"] or settings.PROJECT
        found: dict[str, tuple[Sequence[Any], Sequence[str]]] = {
            "channels": ([_Channel(one, project) for one in rules.channels(project)], _CHANNEL),
            "rules": (rules.rules(project), _RULE),
            "silences": (alerting.active(project).order_by("id"), _SILENCE),
        }
        if options["json"]:
            document = {
                name: [listing.document(one, columns) for one in rows]
                for name, (rows, columns) in found.items()
            }
            self.stdout.write(json.dumps(document, indent=2))
        else:
            self.stdout.write("\n".join(_in_words(found)))

    def _deliveries(self, options: dict[str, Any]) -> None:
        if not 1 <= options["limit"] <= LIMIT:
            raise CommandError(
                f"--limit is a number from 1 to {LIMIT:,}.", returncode=operating.USAGE
            )
        if options["subject"] and not options["condition"]:
            raise CommandError("--subject goes with --condition.", returncode=operating.USAGE)
        names = ("channel", "rule", "state")
        given = {name: options[name] for name in names if options[name]}
        project = options["project"] or settings.PROJECT
        rows = AlertDelivery.objects.filter(project=project, **given)
        key, subject = options["condition"], options["subject"]
        page = told.page(rows, Cursor(), options["limit"], key, subject)
        if options["json"]:
            shown = [listing.document(one, _DELIVERY) for one in page.rows]
            document = {"deliveries": shown, "more": page.following is not None}
            self.stdout.write(json.dumps(document, indent=2))
        else:
            self.stdout.write("\n".join(listing.table(page.rows, _SHORT)))


class _Channel:
    """A channel, as a command prints it: nothing secret is in it."""

    def __init__(self, channel: rules.Channel, project: str) -> None:
        found = told.reached(channel, project)
        self.name, self.kind, self.source = channel.name, channel.kind, channel.source
        self.is_enabled, self.place, self.fault = channel.is_enabled, found.place, found.fault


def _would(verb: verbs.Verb, target: str, options: dict[str, Any]) -> str:
    """What would come of a verb, in words."""
    project = options["project"] or settings.PROJECT
    if verb is verbs.SILENCE_ALERTS:
        alerting.preview(target)
        return "Nobody is told of it until then."
    if verb is verbs.END_SILENCE:
        row = alerting.preview_end(target, project)
        return f"{listing.printable(str(row))}: what holds still is told."
    if all(one.name != target for one in rules.channels(project)):
        raise CommandError(f"There is no alert channel {target[:60]!a}.")
    return "A test message is sent to it."


def _in_words(found: dict[str, tuple[Sequence[Any], Sequence[str]]]) -> Iterator[str]:
    for name, (rows, columns) in found.items():
        shown = list(rows)
        yield f"{name.capitalize()}: {len(shown) or 'none'}"
        if shown:
            yield from (f"  {line}" for line in listing.table(shown, columns))
