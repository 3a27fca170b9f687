"""``manage.py z4j_retry_group``: run a group or chord again."""

from __future__ import annotations

from typing import Any, get_args

from django.core.management.base import CommandParser

from z4j_django import permissions
from z4j_django.management import operating
from z4j_django.operations import auditing, groups


class Command(operating.OperatingCommand):
    """Retries a group or chord: all of it, what failed, or the body alone."""

    help = "Runs a group or chord again: all of it, what failed of it, or the chord's body alone."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("group_id", metavar="GROUP_ID", help="the id of the group or chord")
        parser.add_argument(
            "--members",
            choices=get_args(groups.Members),
            default="all",
            help="what runs again (all); with failed, what succeeded stands",
        )
        parser.add_argument(
            "--keep-ids",
            action="store_true",
            help="leave the ids of the chord's body and of what follows it as they are",
        )
        parser.add_argument(
            "--force", action="store_true", help="also where some of it has not ended"
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Retry; exit with 1 unless all of it was done."""
        chosen = {
            name: options[name] for name in ("group_id", "members", "keep_ids", "force", "project")
        }
        with operating.told_in_words():
            actor = operating.find_actor(options)
            permissions.require(actor, "retry_group")
            plan = groups.preview(**chosen)
        if options["dry_run"]:
            found = [(old, auditing.done(note)) for old, note in plan.targets.items()]
            self.preview(found, options)
            return
        self.confirm(_question(plan), options)
        with operating.told_in_words():
            operation = groups.retry_group(**chosen, actor=actor, surface="command")
        self.finish(operation, options)


def _question(plan: groups.Plan) -> str:
    replayed = f", and {len(plan.replays):,} results are replayed" if plan.replays else ""
    body = ", and then the chord's body" if plan.body_id else ""
    return f"{len(plan.runs):,} tasks of {plan.group.group_id} run again{replayed}{body}."
