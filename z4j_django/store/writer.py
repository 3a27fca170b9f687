"""The sink that stores events in the project's database: the only writer of a task's state."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import django
from django.apps import apps
from django.conf import settings
from django.db import connections, reset_queries, router, transaction

from z4j_django import counters, logs
from z4j_django.agent.batching import Slice
from z4j_django.agent.sink import Status
from z4j_django.exceptions import UnstorableError
from z4j_django.secrets import masking, sealing
from z4j_django.store import (
    error_groups,
    payloads,
    refusals,
    releases,
    retention,
    sql,
    statistics,
)
from z4j_django.store.folding import Fold
from z4j_django.store.rows import CursorRow, JournalRow, PayloadRow
from z4j_django.values import clean, identifier

if TYPE_CHECKING:
    from z4j_django.watch.watching import Watch

logger = logs.logger("z4j_django.store")

#: Segments that are asked for in one query.
_AT_ONCE: Final = 500
_TIMELINE: Final = ("project", "task_id", "kind", "at", "retries", "worker", "pid", "detail")

_LOSS: Final = ("project", "host", "reason", "count", "at", "detail")

#: KiB of SQLite's page cache: a larger one made storing no faster.
_SQLITE_CACHE: Final = 16_000

#: A batch's rows, and its messages.
_Folded: TypeAlias = tuple[Fold, Sequence[PayloadRow]]


class DatabaseSink:
    """Stores batches: rows and the journal's cursors in one transaction.

    That is what makes storing exactly once: a batch counts where every segment still stands
    at the byte where the batch begins, and moves it to the byte where it ends.

    Args:
        timeline: Whether to keep each event beside the merged rows.
        housekeeper: Deletes what is old.
        watch: Looks after what is wrong.
        payloads: Whether to keep each task's message, sealed.
        rules: What else is masked in what is shown.
    """

    def __init__(
        self,
        *,
        timeline: bool = True,
        housekeeper: retention.Housekeeper | None = None,
        watch: Watch | None = None,
        payloads: bool = True,
        rules: masking.Rules = masking.NO_RULES,
    ) -> None:
        self.timeline = timeline
        self.payloads = payloads
        self.rules = rules
        self.housekeeper = housekeeper
        self.watch = watch
        self._compactor = statistics.Compactor()
        self._tuned: Any = None
        self._releases = releases.Writer()
        #: Seconds by which this host's clock is ahead of the database's.
        self._ahead = 0.0

    def positions(self, segments: Sequence[str]) -> dict[str, int]:
        """The byte up to which each segment is stored; those never stored are left out."""
        self._compare_clocks()
        cursors = _model("JournalCursor")._default_manager.using(self._alias)
        found: dict[str, int] = {}
        for first in range(0, len(segments), _AT_ONCE):
            names = segments[first : first + _AT_ONCE]
            rows = cursors.filter(segment__in=names)
            found.update(rows.values_list("segment", "offset"))
        return found

    @property
    def reads_ahead(self) -> bool:
        """Whether the database lets this process idle while it stores a batch.

        SQLite works in this process; MySQL and MariaDB take rows that the driver writes down.
        """
        vendor: str = connections[self._alias].vendor
        return vendor == "postgresql"

    def prepare(self, batch: Sequence[Slice]) -> _Folded:
        """The rows of a batch, and its messages, sealed."""
        fold = Fold(self.rules, self._now())
        for part in batch:
            fold.add_slice(part)
        fold.settle()
        if not self.payloads:
            return fold, ()
        return fold, payloads.sealed(fold.originals, connections[self._alias])

    def apply(self, batch: Sequence[Slice], prepared: _Folded | None = None) -> dict[str, int]:
        """Store the slices that begin where their segment stands.

        Args:
            batch: The slices.
            prepared: What :meth:`prepare` made of them, if it was called.

        Returns:
            The byte up to which each segment of the batch is stored now.

        Raises:
            UnstorableError: If the database takes some of it neither now nor later.
        """
        try:
            return self._apply(batch, prepared)
        except Exception as error:  # whatever a driver raises
            if refusals.fault(error) is not refusals.Fault.EVENT:
                raise
            raise UnstorableError(f"{type(error).__name__}: {error}") from error

    def refuses(self, error: Exception) -> bool:
        """Whether the database lives, and nothing is known but that it does not take a batch."""
        if refusals.fault(error) is not refusals.Fault.UNKNOWN:
            return False
        connection = connections[self._alias]
        try:
            connection.close()  # what was too much for it may have cost the connection
            connection.ensure_connection()
            return connection.is_usable()
        except Exception:  # whatever a driver raises
            return False

    def report(self, status: Status) -> None:
        """Keep the newest status of a journal."""
        self._compare_clocks()
        row = JournalRow(
            host=clean(status.host),
            directory=identifier(status.directory),
            pid=status.pid,
            segments=status.segments,
            size=status.size,
            pending=status.pending,
            oldest=status.oldest,
            seen_at=min(status.at, self._now() + counters.FAR),
            limit=status.limit,
            free=status.free,
        )
        with transaction.atomic(using=self._alias):
            connection = connections[self._alias]
            sql.upsert(connection, _model("JournalRecord"), sql.JOURNALS, [row])

    def forget(self, segments: Sequence[str]) -> None:
        """Let the cursors of ``segments``, which are deleted, go in time."""
        retention.let_cursors_go(segments)

    def housekeep(self) -> None:
        """Count up the statistics, delete a batch of what is old, look at what may be wrong."""
        self._compactor.step()
        if self.housekeeper is not None:
            self.housekeeper.step()
        if self.watch is not None:
            self.watch.step()

    def _compare_clocks(self) -> None:
        from z4j_django.watch import lease

        _, self._ahead = lease.compare()

    def _now(self) -> float:
        """What the database says it is, about: what a host calls the present may be far ahead."""
        return time.time() - self._ahead

    def _apply(self, batch: Sequence[Slice], prepared: _Folded | None) -> dict[str, int]:
        # Before the transaction, which others may wait for.
        fold, messages = prepared or self.prepare(batch)
        self._tune(connections[self._alias])
        with transaction.atomic(using=self._alias):
            positions = self._lock_cursors(sorted(part.segment for part in batch))
            fresh = []
            for part in batch:
                if positions[part.segment] == part.begin:
                    fresh.append(part)
                    positions[part.segment] = part.end
            if len(fresh) < len(batch):
                fold, messages = self.prepare(fresh)
            self._store(fold, messages)
            self._move_cursors(fold, positions)
        self._releases.remember(fold.releases.rows.values())
        self._compactor.is_wanted = True
        if settings.DEBUG:
            reset_queries()  # Django would keep each statement, and all that it stores
        for segment, skipped in fold.skipped.items():
            if skipped:
                logger.warning("%d unreadable events of %s were left out.", skipped, segment)
        return positions

    def _tune(self, connection: Any) -> None:
        """Give SQLite room for the pages that a batch touches; its default is 2 MB."""
        if connection.vendor != "sqlite" or self._tuned is connection.connection is not None:
            return
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA cache_size = -{_SQLITE_CACHE}")
        self._tuned = connection.connection

    def end(self) -> None:
        """Leave what is to be looked after to others."""
        if self.watch is not None:
            self.watch.end()

    def close(self) -> None:
        """Close the database connection of this thread."""
        connections[self._alias].close()

    @property
    def _alias(self) -> str:
        return router.db_for_write(_model("TaskRecord"))

    def _lock_cursors(self, segments: Sequence[str]) -> dict[str, int]:
        """Where each segment stands; no other shipper moves it until the transaction ends."""
        model, connection = _model("JournalCursor"), connections[self._alias]
        cursors = model._default_manager.using(self._alias)
        locked = cursors.select_for_update().filter(segment__in=segments).order_by("segment")
        positions = locked.values_list("segment", "offset")
        if connection.vendor == "postgresql":  # MySQL would lock what lies between them
            found = dict(positions)
            if len(found) == len(segments):
                return found
        # The write comes first: SQLite takes its lock here, and not halfway.
        rows = [CursorRow(segment, 0, 0) for segment in segments]
        sql.upsert(connection, model, sql.NEW_CURSORS, rows)
        return dict(positions.all())

    def _store(self, fold: Fold, messages: Sequence[PayloadRow]) -> None:
        connection = connections[self._alias]
        self._releases.write(connection, fold.releases.rows.values())
        error_groups.confine(self._alias, fold)
        tasks = sorted(fold.tasks.values(), key=attrgetter("project", "task_id"))
        groups = sorted(fold.groups.values(), key=attrgetter("project", "group_id"))
        workers = sorted(fold.workers.values(), key=attrgetter("project", "hostname"))
        sql.upsert(connection, _model("TaskRecord"), sql.TASKS, tasks)
        sql.upsert(connection, _model("TaskPayload"), sql.PAYLOADS, messages)
        sql.upsert(connection, _model("GroupRecord"), sql.GROUPS, groups)
        sql.upsert(connection, _model("WorkerRecord"), sql.WORKERS, workers)
        if self.timeline:
            sql.insert(connection, _model("TaskEvent"), _TIMELINE, fold.timeline)
        sql.insert(connection, _model("JournalLoss"), _LOSS, fold.losses)
        sql.upsert(connection, _model("TaskLog"), sql.LOGS, fold.log_rows)
        error_groups.write(connection, fold)
        statistics.add(connection, fold.counts, fold.errors)

    def _move_cursors(self, fold: Fold, positions: Mapping[str, int]) -> None:
        rows = [
            CursorRow(segment, positions[segment], skipped)
            for segment, skipped in sorted(fold.skipped.items())
        ]
        sql.upsert(connections[self._alias], _model("JournalCursor"), sql.CURSORS, rows)


def database_sink(given: bytes = b"") -> DatabaseSink:
    """The sink of this project, in a process that may have no Django yet.

    Args:
        given: What ``handover.give`` gave, in place of the project's settings.
    """
    from z4j_django import handover

    if not apps.ready:
        if given:
            handover.take(given)
        else:
            django.setup()
    from z4j_django.conf import settings
    from z4j_django.watch.watching import Watch

    housekeeper = retention.Housekeeper(settings.retention, settings.PROJECT)
    return DatabaseSink(
        timeline=settings.TIMELINE,
        housekeeper=housekeeper,
        watch=Watch(settings.PROJECT),
        payloads=settings.payload_limit is not None and sealing.has_key(),
        rules=settings.redaction,
    )


def _model(name: str) -> Any:
    """A model, found when it is needed: a shipper process imports this before Django is up."""
    return apps.get_model("z4j_django", name)
