"""The statistics: what a batch adds to them, and who adds it up.

A batch's transaction inserts what it counts as one row a project. That takes no lock, and is
exactly once as all of a batch is. Later one process at a time adds such rows up, for each minute,
hour and day, for names, queues and all, in one transaction with their deletion. So an event that
comes late counts in its own minute, hour and day, and whoever is killed leaves nothing half done.

For names it is added up for all time, too, in rows that no age takes away. Such a row begins with
what the days say: so what was counted before there were such rows is in it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

import msgspec
from django.apps import apps
from django.db import connections, router, transaction
from django.db.models import F, QuerySet

from z4j_django import histograms
from z4j_django.counters import (
    ALL,
    COUNTERS,
    DAY,
    ERRORS,
    EVER,
    HOUR,
    LOSSES,
    NAMES,
    QUEUES,
    STEPS,
)
from z4j_django.store import sql
from z4j_django.store.counting import Count, Counts, Known
from z4j_django.store.error_rows import Errors
from z4j_django.store.roster import Roster
from z4j_django.store.rows import DeltaRow
from z4j_django.values import error_id

#: Seconds between two turns of a compactor, at least; and what of its time it may take.
EVERY: Final = 5.0
_SHARE: Final = 0.05
#: Deltas that are added up in one transaction, and their bytes, about: what they become takes
#: some fifty times as much memory.
_DELTAS: Final = 100
_BYTES: Final = 256 * 1024
#: Values in one query, as a list of a length that MariaDB makes no join of.
_AT_ONCE: Final = 500
#: Columns of a task's record that a start or an end needs.
_KNOWN: Final = ("task_id", "name", "queue", "attempt", "sent_at", "eta")

#: Step, scope, name, queue and begin.
_Place: TypeAlias = tuple[int, str, str, str, int]
#: Name, queue, begin and error.
_Minute: TypeAlias = tuple[str, str, int, str]

_Row: Final = msgspec.defstruct("_Row", sql.STATISTICS.columns)
_ROW: Final = ("name", "queue", "at", *COUNTERS, "runs", "waits")
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Count]).decode


def add(connection: Any, counts: Counts, errors: Errors) -> None:
    """Store what a batch counts, in its transaction, after the rows of its tasks and errors."""
    unknown = counts.unknown
    counts.resolve(dict(_known(connection, unknown)) if unknown else {})
    by_project = counts.by_project()
    for (project, fingerprint, hour), number in sorted(errors.hours.items()):
        failed = [number if name == "failed" else 0 for name in COUNTERS]
        by_project[project].append(Count(hour, "", "", failed, {}, {}, error_id(fingerprint)))
    rows = [DeltaRow(project, _encode(found)) for project, found in sorted(by_project.items())]
    sql.insert(connection, _model("StatisticsDelta"), ("project", "counts"), rows)


def _known(
    connection: Any, wanted: Mapping[str, Sequence[str]]
) -> Iterator[tuple[tuple[str, str], Known]]:
    read = _each_by_key if connection.vendor == "postgresql" else _all_in_list
    for project, ids in wanted.items():
        for first in range(0, len(ids), _AT_ONCE):
            rows = read(connection, project, ids[first : first + _AT_ONCE])
            for task_id, name, queue, attempt, sent_at, eta in rows:
                known = Known(name, queue, attempt, _seconds(sent_at), _seconds(eta))
                yield (project, task_id), known


def _all_in_list(connection: Any, project: str, ids: Sequence[str]) -> Iterable[Sequence[Any]]:
    records = _model("TaskRecord")._default_manager.using(connection.alias)
    rows = records.filter(project=project, task_id__in=ids)
    found: Iterable[Sequence[Any]] = rows.values_list(*_KNOWN)
    return found


def _each_by_key(connection: Any, project: str, ids: Sequence[str]) -> Iterable[Sequence[Any]]:
    """The same, each along the unique key.

    Of a list PostgreSQL reads all rows of the project, as long as it has no statistics of the
    table: in its first minutes, and those of a restored one.
    """
    table = connection.ops.quote_name(_model("TaskRecord")._meta.db_table)
    columns = ", ".join(_KNOWN)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM unnest(%s::text[]) AS wanted(id) CROSS JOIN LATERAL "  # noqa: S608  # names of our own
            f"(SELECT {columns} FROM {table} WHERE project = %s "
            'AND task_id = wanted.id COLLATE "C" LIMIT 1) AS found',
            [list(ids), project],
        )
        rows: list[Sequence[Any]] = cursor.fetchall()
    return rows


def _seconds(at: Any) -> float | None:
    return None if at is None else at.timestamp()


class Compactor:
    """Keeps the statistics up to date, for a shipper: one transaction whenever it is asked.

    Args:
        clock: Seconds, monotonic.

    Attributes:
        is_wanted: Whether there may be something to add up. Whoever comes has it so: the one
            before may have been killed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_wanted = True
        self._clock = clock
        self._next = clock()

    def step(self) -> None:
        """Add some deltas up, if it is time to."""
        begin = self._clock()
        if not self.is_wanted or begin < self._next:
            return
        self.is_wanted = compact()
        took = self._clock() - begin
        self._next = begin + took / _SHARE if self.is_wanted else begin + max(EVERY, took / _SHARE)


def compact_all() -> None:
    """Add up all that there is, unless someone else is doing so."""
    while compact():
        pass


def compact() -> bool:
    """Add some deltas up, of each project that has any.

    Returns:
        Whether there is more to be had at once.
    """
    deltas = _model("StatisticsDelta")._default_manager.using(_alias())
    projects = list(deltas.order_by("pk").values_list("project", flat=True)[:_DELTAS])
    more = [_compact(project) for project in sorted(set(projects))]
    return any(more)


def _compact(project: str) -> bool:
    alias = _alias()
    rosters = _model("StatisticsRoster")._default_manager.using(alias).filter(project=project)
    if not rosters.exists():
        rosters.model._default_manager.using(alias).get_or_create(project=project)
    with transaction.atomic(using=alias):
        features = connections[alias].features
        if not features.has_select_for_update:
            rosters.update(project=project)  # SQLite takes its lock here, and not halfway
        locked = rosters.select_for_update(skip_locked=features.has_select_for_update_skip_locked)
        column = locked.values_list("places", flat=True).first()
        if column is None:  # someone else is at it
            return False
        keys, minutes, more = _read(alias, project)
        roster = Roster(bytes(column))
        _merge(connections[alias], project, _added_up(minutes, roster))
        if roster.is_changed:
            rosters.update(places=roster.column)
        _model("StatisticsDelta")._default_manager.using(alias).filter(pk__in=keys).delete()
    return more


def _read(alias: str, project: str) -> tuple[list[int], dict[_Minute, Count], bool]:
    """The oldest deltas of a project, added up as they are read, and whether there are others."""
    deltas = _model("StatisticsDelta")._default_manager.using(alias)
    rows = deltas.filter(project=project).order_by("pk").values_list("pk", "counts")
    keys: list[int] = []
    minutes: dict[_Minute, Count] = {}
    room = _BYTES
    for key, column in rows[:_DELTAS]:
        if room <= 0:
            return keys, minutes, True
        room -= len(column)
        keys.append(key)
        for count in _decode(column):
            _add(minutes, (count.name, count.queue, count.minute, count.error), count)
    return keys, minutes, len(keys) == _DELTAS


def _added_up(minutes: Mapping[_Minute, Count], roster: Roster) -> dict[_Place, Count]:
    """What the counts come to, at all places where they stand."""
    days: dict[tuple[str, str], int] = {}
    for name, queue, minute, error in minutes:
        if not error:
            day = minute // DAY
            days[name, queue] = max(day, days.get((name, queue), day))
    places = roster.place(days)
    found: dict[_Place, Count] = {}
    for (name, queue, minute, error), count in minutes.items():
        if error:
            _add(found, (HOUR, ERRORS, error, "", minute), count)
            continue
        name, queue = places[name, queue]
        for step in STEPS:
            at = minute // step * step
            _add(found, (step, NAMES, name, queue, at), count)
            _add(found, (step, QUEUES, "", queue, at), count)
            _add(found, (step, ALL, "", "", at), count)
        _add(found, (EVER, NAMES, name, queue, 0), count)
    return found


def _add(found: dict[Any, Count], key: Any, count: Count) -> None:
    sum_ = found.get(key)
    if sum_ is None:
        counters, runs, waits = list(count.counters), dict(count.runs), dict(count.waits)
        found[key] = Count(count.minute, count.name, count.queue, counters, runs, waits)
        return
    for number, more in enumerate(count.counters):
        if more:
            sum_.counters[number] += more
    histograms.add(sum_.runs, count.runs)
    histograms.add(sum_.waits, count.waits)


def _merge(connection: Any, project: str, found: dict[_Place, Count]) -> None:
    """Add to what stands in the database; nobody else writes it."""
    new = {place for place in found if place[0] == EVER}
    for place, row in _standing(connection.alias, project, found):
        _add(found, place, _count(row))
        new.discard(place)
    for place, row in _of_days(connection.alias, project, new):
        _add(found, place, _count(row))
    rows = [
        _Row(
            project,
            *place,
            *count.counters,
            histograms.packed(count.runs),
            histograms.packed(count.waits),
        )
        for place, count in sorted(found.items(), key=lambda item: item[0])
    ]
    sql.upsert(connection, _model("Statistic"), sql.STATISTICS, rows)


def _count(row: Sequence[Any]) -> Count:
    counters = list(map(int, row[: len(COUNTERS)]))
    runs, waits = (histograms.unpacked(bytes(column)) for column in row[len(COUNTERS) :])
    return Count(0, "", "", counters, runs, waits)


def _standing(
    alias: str, project: str, wanted: Mapping[_Place, Count]
) -> Iterator[tuple[_Place, Sequence[Any]]]:
    """The rows that are there, of the places that are wanted."""
    rows = _model("Statistic")._default_manager.using(alias).filter(project=project)
    names = {name for _, _, name, _, _ in wanted}
    named = rows.filter(name__in=names) if len(names) <= _AT_ONCE else rows
    for (step, scope), places in itertools.groupby(sorted(wanted), key=itemgetter(0, 1)):
        times = sorted({at for *_, at in places})
        of_scope = (named if scope in (NAMES, ERRORS) else rows).filter(step=step, scope=scope)
        for first in range(0, len(times), _AT_ONCE):
            part = of_scope.filter(at__in=times[first : first + _AT_ONCE])
            for name, queue, at, *row in part.values_list(*_ROW):
                if (place := (step, scope, name, queue, at)) in wanted:
                    yield place, row


def _of_days(
    alias: str, project: str, wanted: Collection[_Place]
) -> Iterator[tuple[_Place, Sequence[Any]]]:
    """The days on record of names that have no row for all time yet."""
    days = _model("Statistic")._default_manager.using(alias)
    days = days.filter(project=project, step=DAY, scope=NAMES)
    names = sorted({name for _, _, name, _, _ in wanted})
    for first in range(0, len(names), _AT_ONCE):
        part = days.filter(name__in=names[first : first + _AT_ONCE]).values_list(*_ROW)
        for name, queue, _, *row in part.iterator():
            if (place := (EVER, NAMES, name, queue, 0)) in wanted:
                yield place, row


def keep_losses(losses: QuerySet[Any]) -> None:
    """Count for all time what is said of lost events, in the transaction that deletes it."""
    rows = _model("Statistic")._default_manager.using(losses.db)
    for project, reason, count in losses.values_list("project", "reason", "count"):
        place = {"step": EVER, "scope": LOSSES, "name": reason, "queue": "", "at": 0}
        row, _ = rows.get_or_create(project=project, **place)
        rows.filter(pk=row.pk).update(failed=F("failed") + count)


def _alias() -> str:
    return router.db_for_write(_model("Statistic"))


def _model(name: str) -> Any:
    """A model, found when it is needed: a shipper process imports this before Django is up."""
    return apps.get_model("z4j_django", name)
