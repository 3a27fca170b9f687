"""Errors: failures with one cause, when and in which releases, and which of them are new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, Final

from django.db import connections
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from z4j_django import counters
from z4j_django.models import ErrorGroup, ErrorRelease, Statistic, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.queries import index_ranges, lookups, releases
from z4j_django.queries.cursors import Cursor, Key, Order, Span
from z4j_django.queries.filter.values import stored
from z4j_django.queries.index_ranges import IndexRange
from z4j_django.queries.pages import Page
from z4j_django.values import of_error_id, release_key

#: How long an error is new.
NEW_FOR: Final = timedelta(days=1)
#: The orders of a list, that of the page that is asked for without one first.
ORDERINGS: Final = ("-last_seen", "-first_seen", "-count")
#: Releases shown of one error, at most.
RELEASES_LIMIT: Final = 50
#: Errors whose failures are counted over time at once: of more, MariaDB may read the whole table.
AT_ONCE: Final = 100
#: Tasks of one error that are looked at to count its failures of late.
COUNTED: Final = 1_000
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
    search: str = "",
) -> QuerySet[ErrorGroup]:
    """Some of the errors, in no order.

    Args:
        project: Whose.
        state: Only those in this state.
        name: Only those of tasks whose name begins with this.
        release: Only those that were seen in this release.
        first_seen: Only those that were first seen in one of these spans.
        regressed: Only those that came back after they were resolved, or only the others.
        search: Only those that have this text in their type, their task's name or their message.
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
    if search:
        columns = ("exception_type", "name", "message")
        found = found.filter(reduce(or_, (Q(**{f"{one}__icontains": search}) for one in columns)))
    return found


def counts(project: str) -> dict[str, int]:
    """How many errors there are: in each state, and of the open ones new and regressed."""
    is_open = Q(state=ErrorGroup.State.OPEN)
    found = ErrorGroup.objects.filter(project=project).aggregate(
        **{state: Count("pk", filter=Q(state=state)) for state in ErrorGroup.State.values},
        new=Count("pk", filter=is_open & Q(first_seen__gt=new_since())),
        regressed=Count("pk", filter=is_open & Q(regressed_at__isnull=False)),
    )
    return {name: count or 0 for name, count in found.items()}


def by_hour(
    project: str, found: Sequence[ErrorGroup], hours: int, now: datetime
) -> Mapping[str, list[int]]:
    """How often each error was seen in each of the hours until now, the last of which goes on.

    It is a few seconds behind, as all statistics are.

    Args:
        project: Whose.
        found: The errors, ``AT_ONCE`` at most.
        hours: How many.
        now: The end.

    Returns:
        By the errors' ids, the oldest hour first.
    """
    last = int(now.timestamp()) // counters.HOUR
    first = last - hours + 1
    lines = {one.error_id: [0] * hours for one in found[:AT_ONCE]}
    rows = Statistic.objects.filter(
        project=project,
        step=counters.HOUR,
        scope=counters.ERRORS,
        name__in=list(lines),
        queue="",
        at__gte=first * counters.HOUR,
        at__lte=last * counters.HOUR,
    )
    for error_id, at, count in rows.order_by().values_list("name", "at", "failed"):
        lines[error_id][at // counters.HOUR - first] += count
    return lines


def failures_since(moment: datetime, found: Sequence[ErrorGroup]) -> dict[str, int]:
    """How many tasks failed with each error since a moment, by the errors' ids.

    Args:
        moment: From when on.
        found: The errors, few. Of the newest tasks of each, ``COUNTED`` are looked at.
    """
    tasks = TaskRecord.objects.all()
    ended = connections[tasks.db].ops.adapt_datetimefield_value(stored(moment))
    parts: list[str] = []
    values: list[Any] = []
    for one in found:
        own = IndexRange(column="error", value=one.fingerprint)
        rows = index_ranges.rows(tasks, own, Order(), None)
        newest = index_ranges.compiled(rows.values("error", "project", "finished_at")[:COUNTED])
        if newest is not None:
            parts.append(
                f"SELECT error, COUNT(*) FROM ({newest[0]}) part_{len(parts)} "  # noqa: S608 - compiled by Django
                "WHERE project = %s AND finished_at >= %s GROUP BY error"
            )
            values += [*newest[1], one.project, ended]
    if not parts:
        return {}
    with connections[tasks.db].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        counts = dict(cursor.fetchall())
    return {one.error_id: counts.get(one.fingerprint, 0) for one in found}


def of_name(project: str, name: str, limit: int) -> list[ErrorGroup]:
    """The errors of the tasks of a name that were seen last."""
    found = ErrorGroup.objects.filter(project=project, name=name).defer(*HEAVY_FIELDS)
    return list(found.order_by("-last_seen", "-id")[:limit])


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


def newest_tasks(error: ErrorGroup, limit: int, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Some columns of the tasks that failed so last."""
    own = IndexRange(column="error", value=error.fingerprint)
    rows = index_ranges.rows(primary(TaskRecord).all(), own, Order(), None)[:limit]
    found = rows.values_list("project", *columns)
    return [tuple(row) for project, *row in found if project == error.project]


def in_releases(error: ErrorGroup) -> list[InRelease]:
    """In which releases an error was seen, the last one first."""
    rows = ErrorRelease.objects.filter(project=error.project, fingerprint=error.fingerprint)
    named = rows.annotate(name=releases.name_of("release")).order_by("-last_seen", "-id")
    columns = ("release", "name", "count", "first_seen", "last_seen")
    return [
        InRelease((name or releases.FORGOTTEN) if key else "", *rest)
        for key, name, *rest in named.values_list(*columns)[:RELEASES_LIMIT]
    ]


def newest_releases(found: Sequence[ErrorGroup]) -> dict[int, tuple[str, int]]:
    """The release in which each error was seen last, and in how many it was, by their keys.

    Without those that were seen in none that is known.
    """
    seen = ErrorRelease.objects.filter(
        project=OuterRef("project"), fingerprint=OuterRef("fingerprint")
    ).exclude(release=0)
    last = seen.order_by("-last_seen", "-id").values("release")[:1]
    number = seen.order_by().values("fingerprint").annotate(n=Count("pk")).values("n")
    rows = ErrorGroup.objects.filter(pk__in=[one.pk for one in found])
    told = list(
        rows.annotate(last=Subquery(last), number=Subquery(number)).values_list(
            "pk", "last", "number"
        )
    )
    names = releases.names_of(last for _, last, _ in told)
    return {key: (names[last], number) for key, last, number in told if last}


def new_since() -> datetime:
    """Errors that were first seen after this moment are new."""
    return stored(timezone.now() - NEW_FOR)


def is_new(error: ErrorGroup) -> bool:
    """Whether an error was first seen a short while ago."""
    return error.first_seen > new_since()


def is_regressed(error: ErrorGroup) -> bool:
    """Whether it came back after it was resolved, and nobody has seen to it since."""
    return error.regressed_at is not None
