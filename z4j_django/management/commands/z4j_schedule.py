"""``manage.py z4j_schedule``: list schedules, run one now, leave out its next run, switch it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from z4j_django import operations, permissions, verbs
from z4j_django.conf import settings
from z4j_django.management import listing, operating, option_arguments
from z4j_django.operations import schedules
from z4j_django.queries import schedule_runs
from z4j_django.queries.schedule_runs import Schedule

#: The verbs by their arguments.
_VERBS: Final = {
    verb.name.removesuffix("_schedule").removesuffix("_next_run"): verb
    for verb in verbs.of("schedule")
}
_FIELDS: Final = (
    *("name", "task", "recurrence", "states", "outcome", "runtime", "last_sent_at", "due_at"),
    "overdue_since",
)


class Command(operating.OperatingCommand):
    """Lists the schedules that beat keeps to, or does a verb to one."""

    help = "Lists schedules with their last runs; or runs, skips, enables or disables one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which schedule, and what to do."""
        parser.add_argument("name", nargs="?", metavar="NAME", help="a schedule; all without")
        which = parser.add_mutually_exclusive_group()
        for name, verb in _VERBS.items():
            which.add_argument(
                f"--{name}", dest="verb", action="store_const", const=verb, help=verb.summary
            )
        for verb in _VERBS.values():
            option_arguments.add(parser, verb.options)
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """List them, or act; exit with 1 unless it was done."""
        with operating.told_in_words():
            if options["verb"] is not None:
                self._act(options["verb"], options)
            else:
                self._list(options)

    def _act(self, verb: verbs.Verb, options: dict[str, Any]) -> None:
        name = options["name"]
        if name is None:
            raise CommandError("Name the schedule.", returncode=operating.USAGE)
        given = option_arguments.given(verbs.RUN_SCHEDULE.options, options)
        if given and verb is not verbs.RUN_SCHEDULE:
            named = " and ".join(f"--{one}" for one in given)
            raise CommandError(f"{named}: only for --run.", returncode=operating.USAGE)
        actor = operating.find_actor(options)
        permissions.require(actor, verb.name)
        project = options["project"] or settings.PROJECT
        found = schedules.preview(verb.name, name, given, project)
        if options["dry_run"]:
            self.preview([(name, found)], options)
            return
        self.confirm(f"{verb.label}: {name}. {found.reason}".strip(), options)
        how: dict[str, Any] = {"project": project, "surface": "command"}
        self.finish(operations.perform(verb.name, name, given, actor=actor, **how), options)

    def _list(self, options: dict[str, Any]) -> None:
        project, now = options["project"] or settings.PROJECT, timezone.now()
        rows = [_Row(one, now) for one in _found(project, now, options["name"])]
        if options["name"] is not None and not rows:
            raise CommandError(f"Beat keeps to no schedule {options['name'][:60]!a}.")
        if options["json"]:
            document = {"schedules": [listing.document(row, _FIELDS) for row in rows]}
            self.stdout.write(json.dumps(document, indent=2))
        else:
            self.stdout.write("\n".join(listing.table(rows, _FIELDS)))


class _Row:
    """A schedule, as a command prints it."""

    def __init__(self, schedule: Schedule, now: Any) -> None:
        self.name, self.task = schedule.entry.name, schedule.entry.task
        self.recurrence = str(schedule.entry.recurrence)
        self.states = [run.state for run in schedule.runs]
        self.outcome = self.states[-1] if self.states else None
        self.runtime = schedule.runtime
        self.last_sent_at = schedule.last_sent
        self.due_at = schedule.due(now)
        self.overdue_since = schedule.overdue.since if schedule.overdue is not None else None


def _found(project: str, now: Any, name: str | None) -> Iterator[Schedule]:
    first = 0
    while True:
        page = schedule_runs.page(project, now, first, name or "")
        yield from page.rows
        first += len(page.rows)
        if first >= page.total or not page.rows:
            return
