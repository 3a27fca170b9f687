"""``manage.py z4j_errors``: list errors, look at one, and resolve, ignore or reopen some."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser

from z4j_django import operations, permissions, verbs
from z4j_django.conf import settings
from z4j_django.management import listing, operating, option_arguments
from z4j_django.models import ErrorGroup
from z4j_django.operations import asking
from z4j_django.operations import errors as acting
from z4j_django.queries import commonalities, errors
from z4j_django.queries.cursors import Cursor, Span

#: Errors that are listed at most.
LIMIT: Final = 10_000
_VERBS: Final = {
    verb.name.removesuffix("_errors"): verb for verb in verbs.VERBS.values() if verb.noun == "error"
}
_FIELDS: Final = (
    *("error_id", "state", "count", "exception_type", "name", "first_seen", "last_seen"),
    *("message", "task_id", "regressed_at", "resolved_at", "resolved_in", "ignored_until"),
    "ignored_count",
)
_SHORT: Final = ("error_id", "state", "count", "last_seen", "name", "exception_type", "message")


class Command(operating.OperatingCommand):
    """Lists errors, shows one, or does a verb to some."""

    help = "Lists errors, shows one by its id, or resolves, ignores or reopens some."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which errors, and what to do."""
        parser.add_argument("ids", nargs="*", metavar="ID", help="ids of errors; all without")
        which = parser.add_mutually_exclusive_group()
        for name, verb in _VERBS.items():
            which.add_argument(
                f"--{name}", dest="verb", action="store_const", const=verb, help=verb.summary
            )
        for verb in _VERBS.values():
            option_arguments.add(parser, verb.options)
        parser.add_argument(
            "--state", choices=ErrorGroup.State.values, default="", help="those in this state"
        )
        parser.add_argument("--name", default="", help="those of tasks whose name begins with this")
        parser.add_argument(
            "--seen-in", default="", metavar="RELEASE", help="those that were seen in this release"
        )
        parser.add_argument("--new", action="store_true", help="those first seen within a day")
        parser.add_argument("--regressed", action="store_true", help="those that came back")
        parser.add_argument(
            "--ordering",
            type=str.strip,
            choices=errors.ORDERINGS,
            default=errors.ORDERINGS[0],
            help=f"the order ({errors.ORDERINGS[0]})",
        )
        parser.add_argument(
            "--limit", type=int, default=50, metavar="N", help="at most so many (50)"
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Show them, or act; exit with 1 unless all of it was done."""
        with operating.told_in_words():
            if options["verb"] is not None:
                self._act(options["verb"], options)
            elif options["ids"]:
                self._show(options)
            else:
                self._list(options)

    def _act(self, verb: verbs.Verb, options: dict[str, Any]) -> None:
        if not options["ids"]:
            raise CommandError("Name the errors by their ids.", returncode=operating.USAGE)
        given = option_arguments.given(verb.options, options)
        actor = operating.find_actor(options)
        permissions.require(actor, verb.name)
        asking.options_of(verb.name, given, surface="command")  # before anybody is asked
        if options["dry_run"]:
            self.preview(acting.preview(verb.name, options["project"], options["ids"]), options)
            return
        self.confirm(f"{verb.label} {len(options['ids']):,} errors.", options)
        how: dict[str, Any] = {"project": options["project"], "surface": "command"}
        self.finish(
            operations.perform(verb.name, options["ids"], given, actor=actor, **how), options
        )

    def _list(self, options: dict[str, Any]) -> None:
        if not 1 <= options["limit"] <= LIMIT:
            raise CommandError(
                f"--limit is a number from 1 to {LIMIT:,}.", returncode=operating.USAGE
            )
        found = errors.wanted(
            options["project"] or settings.PROJECT,
            state=options["state"],
            name=options["name"],
            release=options["seen_in"],
            first_seen=[Span(low=errors.new_since())] if options["new"] else (),
            regressed=True if options["regressed"] else None,
        )
        page = errors.page(found, options["ordering"], Cursor(), options["limit"])
        if options["json"]:
            rows = [listing.document(one, _FIELDS) for one in page.rows]
            document = {"errors": rows, "more": page.following is not None}
            self.stdout.write(json.dumps(document, indent=2))
        else:
            self.stdout.write("\n".join(listing.table(page.rows, _SHORT)))

    def _show(self, options: dict[str, Any]) -> None:
        if len(options["ids"]) > 1:
            raise CommandError("One at a time is shown.", returncode=operating.USAGE)
        (error_id,) = options["ids"]
        error = errors.find(options["project"] or settings.PROJECT, error_id)
        if error is None:
            raise CommandError(f"There is no error {error_id[:60]!a} on record.")
        common, seen_in = commonalities.of(error), errors.in_releases(error)
        if options["json"]:
            document = {
                **listing.document(error, (*_FIELDS, "traceback")),
                "releases": [
                    listing.document(one, ("name", "count", "first_seen", "last_seen"))
                    for one in seen_in
                ],
                "common": [listing.document(one, _FACT) for one in common.facts],
            }
            self.stdout.write(json.dumps(document, indent=2))
        else:
            self.stdout.write("\n".join(_in_words(error, common, seen_in)))


_FACT: Final = ("name", "value", "failures", "successes")


def _in_words(
    error: ErrorGroup, common: commonalities.Comparison, seen_in: list[errors.InRelease]
) -> Iterator[str]:
    yield from listing.lines(error, _FIELDS)
    for one in seen_in:
        yield listing.printable(f"in {one.name or 'no known release'}: {one.count:,}")
    told = [str(fact) for fact in common.facts] or ["nothing that stands out"]
    yield f"In common, of {common.failures:,} failures and {common.successes:,} successes:"
    yield from (f"  {listing.printable(line)}" for line in told)
    yield from map(listing.printable, error.traceback.splitlines())
