"""This host's journal: its directory, who ships it, how far behind, and what was lost."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.core.exceptions import ImproperlyConfigured

from z4j_django import conf, exceptions, handover, wiring
from z4j_django.agent import inspection, private
from z4j_django.conditions import capture
from z4j_django.diagnosis import records
from z4j_django.diagnosis.findings import Finding, Visit, error, ok, reason, warning
from z4j_django.queries import health
from z4j_django.values import size

#: Bytes of free disk without which the journal soon can't be written.
SCARCE: Final = 64 * 1024**2
#: Seconds of lag past which something is wrong, not only slow.
FAR_BEHIND: Final = 300.0

_START_SHIPPER: Final = "Run: python manage.py z4j_ship, under the supervision of your system."


def directory(visit: Visit) -> Iterator[Finding]:
    """Whether processes of this user can write the journal; the checks say what is wrong."""
    try:
        path = wiring.journal_directory()
        if os.path.lexists(path):
            private.make(path)
            with tempfile.TemporaryFile(dir=path) as file:
                file.write(b"\n")
        visit.view = inspection.look(path)
    except (ImproperlyConfigured, exceptions.JournalError):
        return
    except OSError as problem:
        yield error(
            f"The journal directory can't be written: {reason(problem)}",
            "Tasks run on, but without records: make room, or make it writable for the user that "
            "runs the workers.",
        )
        return
    visit.directory = path
    free, limit = shutil.disk_usage(_existing(path)).free, conf.settings.JOURNAL_MAX_BYTES
    if free < SCARCE:
        yield error(
            f"The disk of the journal directory {path} has {size(free)} left.",
            "Make room: what can't be written is lost.",
        )
    elif free < limit:
        yield warning(
            f"The journal may grow to {size(limit)}, and its disk has {size(free)} left.",
            "Make room, or set Z4J['JOURNAL_MAX_BYTES'] to less.",
        )
    elif visit.view.exists:
        yield ok(f"The journal directory {path} is private and writable; {size(free)} are free.")
    else:
        yield ok(f"The journal directory {path} is not there yet: the first event makes it.")


def lease(visit: Visit) -> Iterator[Finding]:
    """Who ships, and what that takes."""
    if visit.view is None:
        return
    if conf.settings.SHIPPER == "process" and (why := handover.why_not()):
        yield warning(
            f"The shipper loads the whole project: {why}.",
            "It takes the memory of one process more. Nothing is lost by that.",
        )
    if visit.view.process is not None:
        yield ok(f"The journal is shipped by process {visit.view.process.pid or 'unknown'}.")
    elif visit.view.shipper is not None:
        pid = visit.view.shipper.pid or "unknown"
        yield ok(f"The journal is shipped by a thread of process {pid}.")
    elif conf.settings.SHIPPER == "external":
        yield error('Nobody ships the journal, and Z4J["SHIPPER"] is "external".', _START_SHIPPER)
    else:
        yield warning(
            "Nobody ships the journal now.",
            "Start a worker on this host: it starts a shipper. What is recorded until then waits.",
        )


def lag(visit: Visit) -> Iterator[Finding]:
    """How much waits, and how long."""
    if visit.view is None:
        return
    if not visit.view.segments:
        yield ok("The journal is empty: nothing waits.")
        return
    if not visit.database:
        yield warning(
            f"The journal holds {size(visit.view.size)}; how much of it is stored, only the "
            "database knows.",
            "Mend the database first.",
        )
        return
    found = records.lag(visit.view, visit.timeout)
    seconds = found.seconds(time.time())
    what = (
        f"{found.events} events ({size(found.size)}) wait to be stored, the oldest for "
        f"{health.span(timedelta(seconds=seconds))}."
    )
    if seconds < health.BEHIND_AFTER.total_seconds():
        yield ok(what if found.events else "Every event of this host's journal is stored.")
    elif seconds < FAR_BEHIND:
        yield warning(what, "Look again in a minute; a lag that grows means a slow database.")
    else:
        yield error(what, "See that a shipper runs, and read its log: it says what it waits for.")


def elsewhere(visit: Visit) -> Iterator[Finding]:
    """What the database says of all hosts: silent journals and workers, losses."""
    if not visit.database:
        return
    found = records.read(visit.timeout, capture.troubles)
    for condition, finding in found:
        yield warning(finding.evidence, condition.remedy)
    if not any(condition.key == "journal_losing" for condition, _ in found):
        yield ok("No event was lost in the last 24 hours.")


def dead(visit: Visit) -> Iterator[Finding]:
    """Events and files that were set aside."""
    if visit.view is None or not (visit.view.dead or visit.view.unreadable):
        return
    yield warning(
        f"{visit.view.dead} events that no database takes, and {visit.view.unreadable} unreadable "
        f"segments, lie in {visit.view.directory}.",
        "dead.ndjson says why, line by line; delete it, and *.unreadable, once you have read it.",
    )


def _existing(path: Path) -> Path:
    """The nearest directory that is there."""
    return path if path.exists() else _existing(path.parent)
