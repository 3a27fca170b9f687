"""``manage.py z4j_queue``: pause a queue, resume it, look into it, move what waits in it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, Final

from django.core.management.base import CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from z4j_django import operations, permissions, verbs
from z4j_django.management import listing, operating, option_arguments
from z4j_django.operations import asking, auditing, moving, pausing, peeking
from z4j_django.options import given

_PEEK: Final = "peek"
_VERBS: Final = {
    verb.name.removesuffix("_queue"): verb
    for verb in (verbs.PAUSE_QUEUE, verbs.RESUME_QUEUE, verbs.MOVE_QUEUE)
}


class Command(operating.OperatingCommand):
    """Does a verb to a queue, or shows what waits in it."""

    help = "Pauses a queue, resumes it, shows its first messages, or moves them into another."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, to which queue."""
        subparsers = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
        for name, verb in _VERBS.items():
            self._add(subparsers, name, verb.summary, verb)
        self._add(subparsers, _PEEK, "Show the first messages that wait in a queue, which stay")

    def _add(
        self, subparsers: Any, name: str, summary: str, verb: verbs.Verb | None = None
    ) -> None:
        parser = subparsers.add_parser(name, help=summary.lower(), description=f"{summary}.")
        parser.add_argument("queue", metavar="NAME", help="the queue's name")
        if verb is not None:
            option_arguments.add(parser, verb.options)
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; exit with 1 unless all of it was done."""
        with operating.told_in_words():
            actor = operating.find_actor(options)
            if options["what"] == _PEEK:
                self._peek(actor, options)
            else:
                self._act(_VERBS[options["what"]], actor, options)

    def _act(self, verb: verbs.Verb, actor: permissions.Actor, options: dict[str, Any]) -> None:
        name, asked = options["queue"], option_arguments.given(verb.options, options)
        read = asking.asked(verb.name, asked, actor=actor, surface="command")
        would = self._would(verb, name, read, options)
        if options["dry_run"]:
            self.preview([(name, auditing.done(would))], options)
            return
        self.confirm(f"{verb.label} the queue {name!r}: {would}", options)
        how: dict[str, Any] = {"project": options["project"], "surface": "command"}
        if verb is verbs.MOVE_QUEUE:
            how["progress"] = self.progress()
        self.finish(operations.perform(verb.name, name, asked, actor=actor, **how), options)

    def _would(self, verb: verbs.Verb, name: str, read: Any, options: dict[str, Any]) -> str:
        """What would come of a verb, in words."""
        if verb is verbs.MOVE_QUEUE:
            counted = moving.preview(name, read.to, given(read.filter, ""))
            which = "those that the filter finds" if given(read.filter) else "all"
            return f"{counted:,} messages wait, of which {which} are moved into {read.to!r}."
        if verb is verbs.PAUSE_QUEUE:
            pausing.preview(name)
            return "No worker takes from it any more."
        paused = pausing.preview_resume(name, options["project"])
        return f"It was paused by {paused.paused_by} on {paused.since:%Y-%m-%d %H:%M %Z}."

    def _peek(self, actor: permissions.Actor, options: dict[str, Any]) -> None:
        found = peeking.peek(options["queue"], actor=actor)
        if options["json"]:
            rows = [dataclasses.asdict(one) for one in found]
            self.stdout.write(json.dumps({"messages": rows}, indent=2, cls=DjangoJSONEncoder))
        else:
            self.stdout.write("\n".join(_in_words(found)))


def _in_words(found: list[peeking.Waiting]) -> Iterator[str]:
    for one in found:
        sent = f"{one.sent_at:%Y-%m-%d %H:%M:%S %Z}" if one.sent_at else "-"
        shown = json.dumps([one.args, one.kwargs], ensure_ascii=False)
        line = f"{one.position}  {one.task_id or '-'}  {one.name or '-'}  {sent}  {shown}"
        yield listing.printable(f"{line}  {one.unknown}".rstrip())
    yield f"{len(found):,} messages shown, {peeking.LIMIT} at most; they stay where they are."
