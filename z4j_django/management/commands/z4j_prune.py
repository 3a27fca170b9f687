"""``manage.py z4j_prune``: delete the records that are older than they need be."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from z4j_django import conf, retention_policy, states
from z4j_django.management import stopping
from z4j_django.store import retention

_NO_AGES = (
    'Nothing says how long records are kept. Write it into the settings, as Z4J["RETENTION"] = '
    '{"SUCCESS": "7d", "FAILURE": "90d", "default": "30d"}, or say it here: --older-than 30d.'
)
_LARGEST_BATCH = 10_000
_BAR = 30  # characters


class Command(BaseCommand):
    """Deletes in small batches; may be stopped at any time, and run again."""

    help = "Deletes old records, by the ages of Z4J['RETENTION'] or of --older-than."
    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument(
            "--older-than",
            metavar="AGE",
            help='an age such as "12h", "7d" or "4w", instead of those in the settings',
        )
        parser.add_argument(
            "--state",
            nargs="+",
            choices=[*states.ALL, retention_policy.UNFINISHED],
            default=[],
            metavar="STATE",
            help="with --older-than: only tasks in these states, and nothing else",
        )
        parser.add_argument("--dry-run", action="store_true", help="count, and delete nothing")
        parser.add_argument(
            "--batch",
            type=int,
            default=retention.BATCH,
            metavar="N",
            help=f"tasks in one transaction ({retention.BATCH})",
        )
        parser.add_argument(
            "--pause", type=float, default=0.01, metavar="S", help="seconds between two (0.01)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune; exit with 1 where it was stopped before its end."""
        try:
            wanted = _policy(options["older_than"], options["state"])
            project = conf.settings.PROJECT
        except (ImproperlyConfigured, ValueError) as error:
            raise CommandError(str(error)) from error
        if not 1 <= options["batch"] <= _LARGEST_BATCH:
            raise CommandError(f"--batch is between 1 and {_LARGEST_BATCH}.")
        if options["pause"] < 0:
            raise CommandError("--pause is 0 or more.")
        begun = time.monotonic()
        try:
            tally, complete = self._prune(wanted, project, **options)
        except DatabaseError as error:
            raise CommandError(f"The database did not do it: {error}") from error
        shown = _document(tally, project, options["dry_run"], complete, time.monotonic() - begun)
        self.stdout.write(json.dumps(shown, indent=2) if options["json"] else _in_words(shown))
        if not complete:
            sys.exit(1)

    def _prune(
        self,
        wanted: retention_policy.RetentionPolicy,
        project: str,
        *,
        batch: int,
        dry_run: bool,
        pause: float,
        **options: Any,
    ) -> tuple[retention.Tally, bool]:
        """What was done, and whether that is all."""
        progress = _Progress(self.stderr, wanted) if self.stderr.isatty() else None
        tally = retention.Tally()
        with stopping.told_to_stop() as stop:
            for tally in retention.prune(wanted, project, batch=batch, dry_run=dry_run):
                if progress is not None:
                    progress.show(tally)
                if stop.wait(pause):
                    break
        if progress is not None:
            progress.clear()
        return tally, not stop.is_set()


class _Progress:
    """A bar on a terminal."""

    def __init__(self, stream: Any, wanted: retention_policy.RetentionPolicy) -> None:
        self._stream = stream
        self._first, self._last = retention.span(wanted)
        self._begun = time.monotonic()

    def show(self, tally: retention.Tally) -> None:
        """Draw it anew."""
        whole = max(self._last - self._first, 1)
        done = min(max(tally.place - self._first, 0) / whole, 1.0)
        count = tally.tasks.total()
        rate = count / max(time.monotonic() - self._begun, 0.001)
        bar = ("#" * round(done * _BAR)).ljust(_BAR, ".")
        self._write(f"\r[{bar}] {done:4.0%}  {count:,} tasks, {rate:,.0f}/s ")

    def clear(self) -> None:
        """Leave the line to what comes."""
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text, ending="")
        self._stream.flush()


def _policy(older_than: str | None, wanted_states: list[str]) -> retention_policy.RetentionPolicy:
    if older_than is None:
        if wanted_states:
            raise CommandError("--state says nothing without --older-than.")
        found: retention_policy.RetentionPolicy = conf.settings.retention
    else:
        try:
            found = retention_policy.of_states(retention_policy.parse(older_than), wanted_states)
        except ValueError as error:
            raise ValueError(f"--older-than is {error}") from None
    if found == retention_policy.from_setting({}):
        raise CommandError(_NO_AGES)
    return found


def _document(
    tally: retention.Tally, project: str, dry_run: bool, complete: bool, seconds: float
) -> dict[str, Any]:
    others: dict[str, int | None] = {noun: tally.others[noun] for noun in retention.OTHERS}
    if dry_run:
        others["groups"] = None
    return {
        "project": project,
        "dry_run": dry_run,
        "complete": complete,
        "tasks": {state: tally.tasks[state] for state in states.ALL if tally.tasks[state]},
        **others,
        "busy": tally.busy,
        "seconds": round(seconds, 3),
    }


def _in_words(shown: dict[str, Any]) -> str:
    by_state = ", ".join(f"{state} {count:,}" for state, count in shown["tasks"].items())
    count = sum(shown["tasks"].values())
    tasks = f"{count:,} tasks ({by_state})" if by_state else "no tasks"
    others = ", ".join(
        f"{shown[noun]:,} {noun}" for noun in retention.OTHERS if shown[noun] is not None
    )
    verb = "Would delete" if shown["dry_run"] else "Deleted"
    lines = [f"{verb} {tasks}, {others}, in {shown['seconds']:.1f} s."]
    if shown["dry_run"]:
        lines.append("Groups go after the last of their members; they are not counted here.")
    if shown["busy"]:
        lines.append(f"{shown['busy']:,} tasks were being written; they are left to the next run.")
    if not shown["complete"]:
        lines.append("It was stopped before its end; run it again to go on.")
    return "\n".join(lines)
