"""``manage.py z4j_ship``: the shipper, under your own supervision."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from z4j_django import conf, exceptions, logs, wiring
from z4j_django.agent import inspection, shipper_process, takeover
from z4j_django.diagnosis import records
from z4j_django.management import stopping
from z4j_django.store import statistics
from z4j_django.store.writer import database_sink

logger = logs.logger("z4j_django.ship")


class Command(BaseCommand):
    """Takes the journal of this host to the database until it is told to stop."""

    help = "Ships this host's journal; stores what is there and ends on SIGTERM or Ctrl-C."
    # A shipper that waits for its database must start without it.
    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument(
            "--drain",
            action="store_true",
            help="store what is there now and end; exit with 1 where something is left",
        )
        parser.add_argument("--json", action="store_true", help="log one JSON object a line")
        parser.add_argument(
            "--timeout",
            type=float,
            default=shipper_process.DRAIN,
            metavar="S",
            help="seconds to spend at the end on what is there",
        )
        parser.add_argument(
            "--patience",
            type=float,
            default=takeover.TIMEOUT,
            metavar="S",
            help="seconds to wait for a worker's shipper to go",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Ship."""
        with _logging_to(self.stdout, as_json=options["json"]):
            try:
                left = self._ship(**options)
            except (exceptions.JournalError, ImproperlyConfigured, OSError) as error:
                raise CommandError(str(error)) from error
        if options["drain"] and left:
            sys.exit(1)

    def _ship(self, *, drain: bool, timeout: float, patience: float, **options: Any) -> bool:
        """Ship; whether something is left."""
        directory = wiring.journal_directory()
        before = inspection.look(directory)
        logger.info("Shipping %s as process %d.", directory, os.getpid())
        with stopping.told_to_stop() as stop:
            takeover.ship(
                directory,
                database_sink,
                max_bytes=conf.settings.JOURNAL_MAX_BYTES,
                stop=stop,
                until=lambda: drain,
                timeout=patience,
                drain=timeout,
                tell=logger.info,
            )
        # Others go on writing: what counts for a drain is what was there when it began.
        left = _left(before if drain else inspection.look(directory), timeout)
        if drain and not left:
            statistics.compact_all()  # no shipper may come that would
        logger.info("Stopped: %s", left or "everything is stored.")
        return bool(left)


def _left(before: inspection.View, seconds: float) -> str:
    """What is not stored of what was there before, in words; empty where all is."""
    try:
        left = records.lag(before, seconds)
    except Exception as error:  # whatever a driver raises
        now = inspection.look(before.directory)
        remains = set(before.names) & set(now.names)
        why = f"the database does not answer ({type(error).__name__})"
        return f"{len(remains)} segments wait; {why}." if remains else ""
    return f"{left.events} events are not stored." if left.events else ""


class _AsJson(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        shown = {"at": record.created, "level": record.levelname, "message": record.getMessage()}
        return json.dumps(shown, ensure_ascii=False)


@contextmanager
def _logging_to(stream: Any, *, as_json: bool) -> Iterator[None]:
    """Log what this package says to ``stream``, whatever the project's logging is set to."""
    ours = logs.logger("z4j_django")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_AsJson() if as_json else logging.Formatter("%(levelname)s %(message)s"))
    level = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        ours.setLevel(level)
