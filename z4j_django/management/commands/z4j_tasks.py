"""``manage.py z4j_tasks``: list tasks."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from z4j_django.conf import settings
from z4j_django.exceptions import FilterError
from z4j_django.management import listing, operating
from z4j_django.models import TaskRecord
from z4j_django.queries import filters, grammar, keyset

#: Tasks that are listed at most.
LIMIT: Final = 10_000
#: Tasks that are looked through for them, at most.
EXAMINED_LIMIT: Final = 1_000_000
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
            choices=filters.ORDERINGS,
            default="",
            help="by the row or by the time sent; - for the newest first (-id)",
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
        walk = _Walk(found, options)
        for note in walk.notes:
            self.stderr.write(note)
        before = len(walk.notes)
        with operating.told_in_words():
            self._print(walk, fields, options)
        for note in walk.notes[before:]:
            self.stderr.write(note)
        if walk.gave_up:
            sys.exit(1)

    def _print(self, walk: _Walk, fields: tuple[str, ...], options: dict[str, Any]) -> None:
        tasks = walk.tasks(TaskRecord.objects.only(*listing.columns(fields)))
        if options["ndjson"]:
            for task in tasks:
                self.stdout.write(json.dumps(listing.document(task, fields)))
        elif options["json"]:
            shown = {
                "filter": str(walk.filter),
                "ordering": walk.order,
                "tasks": [listing.document(task, fields) for task in tasks],
                "more": walk.more,
                "notes": walk.notes,
            }
            self.stdout.write(json.dumps(shown, indent=2))
        else:
            self.stdout.write("\n".join(listing.table(tasks, fields)))


class _Walk:
    """The pages of a list, one after the other, and what there is to know of them.

    Args:
        found: Which tasks.
        options: The command's.
    """

    def __init__(self, found: filters.Filter, options: dict[str, Any]) -> None:
        self.filter = found
        self.order = found.order(options["ordering"])
        self.limit: int = options["limit"]
        #: There are, or may be, others that match.
        self.more = False
        #: So many were looked through that it looked no further.
        self.gave_up = False
        self.notes: list[str] = []
        if terms := found.unindexed():
            self.notes.append(
                f"Without an index: {', '.join(terms)}. A term that has one, such as sent:<1d, "
                "would make it quick."
            )

    def tasks(self, queryset: Any) -> Iterator[TaskRecord]:
        """The tasks of ``queryset``, a page at a time."""
        place = keyset.Place()
        left, examined = self.limit, 0
        while True:
            page = self.filter.page(queryset, place, min(left, _PAGE), order=self.order)
            yield from page.rows
            left -= len(page.rows)
            examined += page.looked_through or 0
            if page.following is None:
                return
            if not left or examined >= EXAMINED_LIMIT:
                break
            place = keyset.Place(before=page.following)
        self.more = True
        self.gave_up = left > 0
        if self.gave_up:
            self.notes.append(f"Given up after {examined:,} tasks were looked through.")
        else:
            self.notes.append(f"There may be more than these {self.limit:,}: see --limit.")


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
        return found & filters.term("project", grammar.quote(project or settings.PROJECT))
    except FilterError as error:
        raise CommandError(str(error), returncode=operating.USAGE) from None
