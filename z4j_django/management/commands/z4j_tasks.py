"""``manage.py z4j_tasks``: list tasks."""

from __future__ import annotations

import json
import re
import sys
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from z4j_django.conf import settings
from z4j_django.exceptions import FilterError
from z4j_django.management import listing, operating
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries.filter import words
from z4j_django.queries.pages import Pages

#: Tasks that are listed at most.
LIMIT: Final = 10_000
#: Tasks that are read at once.
_PAGE: Final = 200

#: What begins as an option does, but is none of Django's: a negated term, or an order.
_VALUE: Final = re.compile(r"-(?!h$|v\d?$)[^-]")


class Command(BaseCommand):
    """Lists the tasks that a filter finds."""

    help = "Lists tasks, the newest first."
    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def run_from_argv(self, argv: list[str]) -> None:
        """As always; a space keeps a value that begins with - from being taken for an option."""
        super().run_from_argv([f" {one}" if _VALUE.match(one) else one for one in argv])

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument(
            "filter",
            nargs="*",
            metavar="FILTER",
            help="terms, such as state:FAILURE name:shop.* sent:<2h, and words; all tasks without",
        )
        parser.add_argument(
            "--limit", type=int, default=50, metavar="N", help=f"at most so many, to {LIMIT:,} (50)"
        )
        parser.add_argument(
            "--fields", metavar="A,B", help=f"which columns: {', '.join(listing.FIELDS)}"
        )
        parser.add_argument(
            "--ordering",
            type=str.strip,
            choices=(*filters.ORDERINGS, *filters.SORTINGS),
            default="",
            help="by the row or by the time sent, - for the newest first (-id); by the start, of "
            "a filter that finds few tasks",
        )
        parser.add_argument("--project", metavar="NAME", help="whose they are (this project's)")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print one JSON document")
        form.add_argument("--ndjson", action="store_true", help="print one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        """List them; exit with 1 where looking for them was given up."""
        fields = _fields(options)
        found = _filter(options)
        if not 1 <= options["limit"] <= LIMIT:
            raise CommandError(
                f"--limit is a number from 1 to {LIMIT:,}.", returncode=operating.USAGE
            )
        asked, notes = found.order(options["ordering"]), _notes(found)
        for note in notes:
            self.stderr.write(note)
        queryset = TaskRecord.objects.only(*listing.columns(fields))
        pages = found.pages(queryset, options["limit"], _PAGE, order=asked)
        with operating.told_in_words():
            self._print(pages, fields, options, {"filter": str(found), "ordering": asked}, notes)
        if pages.more:
            self.stderr.write(_ended(pages, options))
        if pages.gave_up:
            sys.exit(1)

    def _print(
        self,
        pages: Pages[TaskRecord],
        fields: tuple[str, ...],
        options: dict[str, Any],
        asked: dict[str, str],
        notes: list[str],
    ) -> None:
        tasks = (task for page in pages for task in listing.told(page, fields))
        if options["ndjson"]:
            for task in tasks:
                self.stdout.write(json.dumps(listing.document(task, fields)))
        elif options["json"]:
            shown = [listing.document(task, fields) for task in tasks]
            ended = [_ended(pages, options)] if pages.more else []
            document = {**asked, "tasks": shown, "more": pages.more, "notes": notes + ended}
            self.stdout.write(json.dumps(document, indent=2))
        else:
            self.stdout.write("\n".join(listing.table(tasks, fields)))


def _notes(found: filters.Filter) -> list[str]:
    """What there is to know before anything is read."""
    terms = ", ".join(found.unindexed())
    told = f"Without an index: {terms}. A term that has one, such as sent:<1d, would make it quick."
    return [told] if terms else []


def _ended(pages: Pages[TaskRecord], options: dict[str, Any]) -> str:
    """Why there are more."""
    if pages.gave_up:
        return f"Given up after {pages.examined:,} tasks were looked through."
    return f"There may be more than these {options['limit']:,}: see --limit."


def _fields(options: dict[str, Any]) -> tuple[str, ...]:
    if options["fields"] is None:
        return listing.LIGHT if options["json"] or options["ndjson"] else listing.SHORT
    names = tuple(dict.fromkeys(name.strip() for name in options["fields"].split(",")))
    for name in names:
        if name not in listing.FIELDS:
            known = ", ".join(listing.FIELDS)
            raise CommandError(
                f"There is no field {name!r}; the fields are {known}.", returncode=operating.USAGE
            )
    return names


def _filter(options: dict[str, Any]) -> filters.Filter:
    """The filter that was given; of this project's tasks, unless it names one itself."""
    try:
        found = filters.parse(" ".join(one.strip() for one in options["filter"]))
        project = options["project"]
        if project is None and any(one.name == "project" for one in found.terms):
            return found
        return found & filters.term("project", words.quote(project or settings.PROJECT))
    except FilterError as error:
        raise CommandError(str(error), returncode=operating.USAGE) from None
