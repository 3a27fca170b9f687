"""Errors: failures with one cause, in which releases, and which of them are new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Final

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from z4j_django.models import ErrorGroup, ErrorRelease
from z4j_django.queries import lookups, releases
from z4j_django.queries.cursors import Cursor, Key, Span
from z4j_django.queries.filter.values import stored
from z4j_django.queries.pages import Page
from z4j_django.values import of_error_id, release_key

#: How long an error is new.
NEW_FOR: Final = timedelta(days=1)
#: The orders of a list, that of the page that is asked for without one first.
ORDERINGS: Final = ("-last_seen", "-first_seen", "-count")
#: Releases shown of one error, at most.
RELEASES_LIMIT: Final = 50
#: Columns that a list leaves in the database.
HEAVY_FIELDS: Final = ("traceback",)


@dataclass(frozen=True)
class InRelease:
    """How often an error was seen in a release."""

    name: str
    count: int
    first_seen: datetime
    last_seen: datetime


def wanted(
    project: str,
    *,
    state: str = "",
    name: str = "",
    release: str = "",
    first_seen: Sequence[Span] = (),
    regressed: bool | None = None,
) -> QuerySet[ErrorGroup]:
    """Some of the errors, in no order.

    Args:
        project: Whose.
        state: Only those in this state.
        name: Only those of tasks whose name begins with this.
        release: Only those that were seen in this release.
        first_seen: Only those that were first seen in one of these spans.
        regressed: Only those that came back after they were resolved, or only the others.
    """
    found = ErrorGroup.objects.filter(project=project)
    if state:
        found = found.filter(state=state)
    if name:
        found = found.filter(lookups.starts_with(found, "name", name))
    if release:
        seen = ErrorRelease.objects.filter(
            project=OuterRef("project"), fingerprint=OuterRef("fingerprint")
        )
        found = found.filter(Exists(seen.filter(release=release_key(release) or 0)))
    if first_seen:
        found = found.filter(reduce(or_, (span.of("first_seen") for span in first_seen)))
    if regressed is not None:
        found = found.filter(regressed_at__isnull=not regressed)
    return found


def page(
    queryset: QuerySet[ErrorGroup], ordering: str, cursor: Cursor, limit: int
) -> Page[ErrorGroup]:
    """A page by positions: the table is bounded, and what it is ordered by moves all the time."""
    key = cursor.key
    begin = 0 if key is None else key.id
    if cursor.after is not None:
        begin, limit = max(begin - limit, 0), min(limit, begin)
    rows = list(queryset.defer(*HEAVY_FIELDS).order_by(ordering, "-id")[begin : begin + limit + 1])
    end = begin + limit
    return Page(
        rows[:limit], Key(end) if len(rows) > limit else None, Key(begin) if begin else None
    )


def find(project: str, error_id: str) -> ErrorGroup | None:
    """The error with this id; None where there is none."""
    fingerprint = of_error_id(error_id)
    if fingerprint is None:
        return None
    return ErrorGroup.objects.filter(project=project, fingerprint=fingerprint).first()


def in_releases(error: ErrorGroup) -> list[InRelease]:
    """In which releases an error was seen, the last one first."""
    rows = ErrorRelease.objects.filter(project=error.project, fingerprint=error.fingerprint)
    newest = list(rows.order_by("-last_seen", "-id")[:RELEASES_LIMIT])
    names = releases.names_of(one.release for one in newest)
    return [
        InRelease(names[one.release], one.count, one.first_seen, one.last_seen) for one in newest
    ]


def new_since() -> datetime:
    """Errors that were first seen after this moment are new."""
    return stored(timezone.now() - NEW_FOR)


def is_new(error: ErrorGroup) -> bool:
    """Whether an error was first seen a short while ago."""
    return error.first_seen > new_since()


def is_regressed(error: ErrorGroup) -> bool:
    """Whether it came back after it was resolved, and nobody has seen to it since."""
    return error.regressed_at is not None
