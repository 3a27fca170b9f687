"""The causes of failures, as the database keeps them: counted, bounded, and found again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, Final, TypeVar

from django.apps import apps
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from z4j_django.store import fingerprints, sql
from z4j_django.store.error_rows import NO_RELEASE, ErrorRow
from z4j_django.store.folding import Fold

T = TypeVar("T")

#: Open groups of a project; the failures of all further causes are one group.
LIMIT: Final = 10_000
#: Groups that are looked up together.
_AT_ONCE: Final = 500

#: The newest failure supplies the texts. What tells the newest comes last, see ``sql.Merge``.
_NEWEST: Final = (
    "CASE WHEN n.last_seen > o.last_seen OR (n.last_seen = o.last_seen AND n.task_id > o.task_id) "
    "THEN {n} ELSE {o} END"
)
_GROUPS: Final = sql.Merge(
    key=("project", "fingerprint"),
    rules={
        "name": sql.STANDS,
        "exception_type": sql.STANDS,
        "state": sql.STANDS,
        "resolved_in": sql.STANDS,
        "count": sql.SUM,
        "first_seen": sql.SMALLER,
        "message": _NEWEST,
        "traceback": _NEWEST,
        "task_id": _NEWEST,
        "last_seen": sql.GREATER,
    },
)
_RELEASES: Final = sql.Merge(
    key=("project", "fingerprint", "release"),
    rules={"count": sql.SUM, "first_seen": sql.SMALLER, "last_seen": sql.GREATER},
)


def confine(alias: str, fold: Fold) -> None:
    """Count failures of new causes among all others, where a project has open groups enough.

    Before the tasks are written, on whose rows the groups stand. Where no cause is new, one query
    tells; where nothing failed, none is asked. Shippers that find new causes in the same instant
    may go past the limit, each by its batch.
    """
    by_project = defaultdict(list)
    for row in fold.errors.groups.values():
        by_project[row.project].append(row)
    beyond: list[int] = []
    for project, rows in by_project.items():
        groups = _rows("ErrorGroup", alias).filter(project=project)
        others = fingerprints.of_all_others(project)
        known = {others}
        for part in _parts([row.fingerprint for row in rows]):
            found = groups.filter(fingerprint__in=part)
            known.update(found.values_list("fingerprint", flat=True))
        if fresh := [row for row in rows if row.fingerprint not in known]:
            taken = groups.filter(state="open").exclude(fingerprint=others).count()
            fresh.sort(key=attrgetter("first_seen", "fingerprint"))
            beyond += [row.fingerprint for row in fresh[max(LIMIT - taken, 0) :]]
    if not beyond:
        return
    became = fold.errors.put_aside(beyond)
    for task in fold.tasks.values():
        if task.error in became:
            task.error = became[task.error]


def write(connection: Any, fold: Fold) -> None:
    """Merge the failures of a batch into their groups, and open those that are to be open again.

    Last in the transaction: the rows are every shipper's, who wait for each other here.
    """
    groups = sorted(fold.errors.groups.values(), key=attrgetter("project", "fingerprint"))
    if not groups:
        return
    parts = fold.errors.releases.values()
    releases = sorted(parts, key=attrgetter("project", "fingerprint", "release"))
    sql.upsert(connection, _rows("ErrorGroup", connection.alias).model, _GROUPS, groups)
    sql.upsert(connection, _rows("ErrorRelease", connection.alias).model, _RELEASES, releases)
    _open_again(connection.alias, groups)


def _open_again(alias: str, seen: Sequence[ErrorRow]) -> None:
    """By what is on record alone: so it does not matter in which order it came there."""
    closed = _rows("ErrorGroup", alias).exclude(state="open")
    for part in _parts(seen):
        mine = closed.filter(
            project__in={row.project for row in part},
            fingerprint__in=[row.fingerprint for row in part],
        )
        if not mine.exists():
            continue
        came_back = mine.filter(state="resolved").filter(_came_back(alias))
        came_back.update(state="open", regressed_at=timezone.now())
        is_awake = Q(ignored_until__lt=F("last_seen")) | Q(ignored_count__lte=F("count"))
        awake = mine.filter(state="ignored").filter(is_awake)
        awake.update(state="open", ignored_until=None, ignored_count=None)


def _came_back(alias: str) -> Q:
    """A failure after the group was resolved, in no release that was seen before its cure was.

    One that was never seen comes after all that were; of a process that knows of none, the time
    decides.
    """
    releases = _rows("Release", alias).filter(project=OuterRef("project"))
    cure = releases.filter(key=OuterRef(OuterRef("resolved_release"))).values("first_seen")[:1]
    after = (
        _rows("ErrorRelease", alias)
        .filter(project=OuterRef("project"), fingerprint=OuterRef("fingerprint"))
        .filter(last_seen__gt=OuterRef("resolved_at"))
        .annotate(cured=Subquery(cure))
    )
    since = releases.filter(key=OuterRef("release"), first_seen__gte=OuterRef("cured"))
    in_time = Q(release=NO_RELEASE) | Q(release=OuterRef("resolved_release")) | Exists(since)
    return Q(resolved_release=None) & Exists(after) | Exists(after.filter(in_time))


def _parts(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(rows), _AT_ONCE):
        yield rows[first : first + _AT_ONCE]


def _rows(name: str, alias: str) -> QuerySet[Any]:
    """A table; found when it is needed, as a shipper imports this before Django is up."""
    rows: QuerySet[Any] = apps.get_model("z4j_django", name)._default_manager.using(alias)
    return rows
