"""``manage.py z4j_stack``: what a running task does at this moment."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from z4j_django.conf import settings
from z4j_django.management import listing, operating
from z4j_django.models import TaskRecord
from z4j_django.operations import stacks


class Command(BaseCommand):
    """Prints the Python stack of the process that runs a task."""

    help = "Prints the Python stack of the process that runs a task, the innermost call last."
    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("task_id", metavar="TASK_ID", help="the task's id")
        parser.add_argument("--project", metavar="NAME", help="whose it is (this project's)")
        parser.add_argument(
            "--actor", metavar="USERNAME", help="look as this user: with these permissions"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it; exit with 1 where there is none to be had."""
        with operating.told_in_words():
            actor = operating.find_actor(options)
            project = options["project"] or settings.PROJECT
            tasks = TaskRecord.objects.filter(project=project, task_id=options["task_id"])
            task = tasks.only("state", "worker", "task_id").first()
            if task is None:
                raise CommandError("There is no task of this id on record.")
            found = stacks.look(task, actor=actor)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found), indent=2))
        if found.sentence:
            raise CommandError(found.sentence)
        if not options["json"]:
            for line in found.text.splitlines():
                self.stdout.write(listing.printable(line))
