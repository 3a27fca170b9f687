"""``manage.py z4j_retry_group``: run a group or chord again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from z4j_django import operations, permissions, verbs
from z4j_django.management import operating, option_arguments
from z4j_django.operations import auditing, groups


class Command(operating.OperatingCommand):
    """Retries a group or chord: all of it, what failed, or the body alone."""

    help = "Runs a group or chord again: all of it, what failed of it, or the chord's body alone."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("group_id", metavar="GROUP_ID", help="the id of the group or chord")
        option_arguments.add(parser, verbs.RETRY_GROUP.options)
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Retry; exit with 1 unless all of it was done."""
        group_id, project = options["group_id"], options["project"]
        given = option_arguments.given(verbs.RETRY_GROUP.options, options)
        with operating.told_in_words():
            actor = operating.find_actor(options)
            permissions.require(actor, verbs.RETRY_GROUP.name)
            plan = groups.preview(group_id, given, project=project, surface="command")
        if options["dry_run"]:
            found = [(old, auditing.done(note)) for old, note in plan.targets.items()]
            self.preview(found, options)
            return
        self.confirm(_question(plan), options)
        with operating.told_in_words():
            operation = operations.perform(
                *(verbs.RETRY_GROUP.name, group_id, given),
                actor=actor,
                project=project,
                surface="command",
            )
        self.finish(operation, options)


def _question(plan: groups.Plan) -> str:
    replayed = f", and {len(plan.replays):,} results are replayed" if plan.replays else ""
    body = ", and then the chord's body" if plan.body_id else ""
    return f"{len(plan.runs):,} tasks of {plan.group.group_id} run again{replayed}{body}."
