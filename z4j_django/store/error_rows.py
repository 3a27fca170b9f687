"""The failures of a batch, merged into one row a cause, and one a cause and release. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from z4j_django.agent import events
from z4j_django.counters import HOUR, near
from z4j_django.secrets import masking, redaction
from z4j_django.store import describing, fingerprints
from z4j_django.values import clean, identifier, moment

#: Of a failure whose process knows of no release.
NO_RELEASE = 0


class ErrorRow(msgspec.Struct):
    """Failures with one cause, as far as a batch tells of them; the newest supplies the texts."""

    project: str
    fingerprint: int
    name: str
    exception_type: str
    first_seen: float
    last_seen: float
    task_id: str
    message: str = ""
    traceback: str = ""
    count: int = 1
    state: str = "open"
    resolved_in: str = ""


class ErrorReleaseRow(msgspec.Struct):
    """Those of one release."""

    project: str
    fingerprint: int
    release: int
    first_seen: float
    last_seen: float
    count: int = 1


class Errors:
    """Collects the failures of a batch.

    Args:
        now: When they are stored, in seconds since the epoch.

    Attributes:
        groups: By fingerprint.
        releases: By fingerprint and release.
        hours: How many there were, by project, fingerprint and the begin of the hour.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self.groups: dict[int, ErrorRow] = {}
        self.releases: dict[tuple[int, int], ErrorReleaseRow] = {}
        self.hours: Counter[tuple[str, int, int]] = Counter()
        #: Whose texts are not written down yet.
        self._newest: dict[int, events.Failure] = {}

    def add(self, event: events.TaskEvent, project: str, release: int | None) -> int | None:
        """Count a failure; its fingerprint. Of other events, and of one that tells no cause, none.

        Args:
            event: What happened.
            project: Whose task.
            release: The key of the release that it happened in.
        """
        failure = event.failure
        if event.kind != events.TASK_FAILED or failure is None:
            return None
        name = clean(event.name or (event.message.name if event.message else ""))
        found = fingerprints.of(project, name, failure)
        at = near(moment(event.at), self._now)
        row = ErrorRow(project, found, name, clean(failure.type), at, at, identifier(event.task_id))
        if _merge_group(self.groups, row) is row:
            self._newest[found] = failure
        part = ErrorReleaseRow(project, found, release or NO_RELEASE, at, at)
        _merge_release(self.releases, part)
        self.hours[project, found, int(at // HOUR) * HOUR] += 1
        return found

    def settle(self, rules: masking.Rules) -> None:
        """Write down what the newest failure of each cause said, masked."""
        for fingerprint, failure in self._newest.items():
            row = self.groups[fingerprint]
            row.message = redaction.redact_text(failure.message, describing.MESSAGE, rules)
            row.traceback = redaction.redact_text(failure.traceback, describing.TRACEBACK, rules)
        self._newest = {}

    def put_aside(self, given: Iterable[int]) -> dict[int, int]:
        """Count failures among all others, of which no account is kept by cause.

        Args:
            given: Their fingerprints.

        Returns:
            What each of them has become.
        """
        became = {}
        for fingerprint in given:
            row = self.groups.pop(fingerprint)
            row.fingerprint = other = fingerprints.of_all_others(row.project)
            row.name = row.exception_type = ""
            _merge_group(self.groups, row)
            became[fingerprint] = other
        for key in [key for key in self.releases if key[0] in became]:
            part = self.releases.pop(key)
            part.fingerprint = became[key[0]]
            _merge_release(self.releases, part)
        for project, fingerprint, hour in [key for key in self.hours if key[1] in became]:
            count = self.hours.pop((project, fingerprint, hour))
            self.hours[project, became[fingerprint], hour] += count
        return became


def _merge_group(rows: dict[int, ErrorRow], row: ErrorRow) -> ErrorRow:
    """Merge a row into those there are; the one that supplies the texts, and stands."""
    known = rows.get(row.fingerprint)
    if known is None:
        rows[row.fingerprint] = row
        return row
    is_newer = (row.last_seen, row.task_id) > (known.last_seen, known.task_id)
    newer, older = (row, known) if is_newer else (known, row)
    newer.count += older.count
    newer.first_seen = min(newer.first_seen, older.first_seen)
    rows[row.fingerprint] = newer
    return newer


def _merge_release(rows: dict[tuple[int, int], ErrorReleaseRow], row: ErrorReleaseRow) -> None:
    known = rows.setdefault((row.fingerprint, row.release), row)
    if known is not row:
        known.count += row.count
        known.first_seen = min(known.first_seen, row.first_seen)
        known.last_seen = max(known.last_seen, row.last_seen)
