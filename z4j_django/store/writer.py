"""The sink that stores events in the project's database: the only writer of a task's state."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

import django
from django.apps import apps
from django.db import DataError, IntegrityError, connections, router, transaction
from django.utils import timezone

from z4j_django.agent.shipper import Slice, Status
from z4j_django.exceptions import UnstorableError
from z4j_django.store import retention, sql
from z4j_django.store.folding import Fold
from z4j_django.store.rows import JournalRow
from z4j_django.store.values import clean, identifier

logger = logging.getLogger("z4j_django.store")

#: Segments that are asked for in one query.
_AT_ONCE: Final = 500
_TIMELINE: Final = ("project", "task_id", "kind", "at", "retries", "worker", "pid", "detail")

_LOSS: Final = ("project", "host", "reason", "count", "at", "detail")


class DatabaseSink:
    """Stores batches: rows and the journal's cursors in one transaction.

    That is what makes storing exactly once: a batch counts where every segment still stands
    at the byte where the batch begins, and moves it to the byte where it ends.

    Args:
        timeline: Whether to keep each event beside the merged rows.
        housekeeper: Deletes what is old.
    """

    def __init__(
        self, *, timeline: bool = True, housekeeper: retention.Housekeeper | None = None
    ) -> None:
        self.timeline = timeline
        self.housekeeper = housekeeper

    def positions(self, segments: Sequence[str]) -> dict[str, int]:
        """The byte up to which each segment is stored; those never stored are left out."""
        cursors = _model("JournalCursor")._default_manager.using(self._alias)
        found: dict[str, int] = {}
        for first in range(0, len(segments), _AT_ONCE):
            names = segments[first : first + _AT_ONCE]
            rows = cursors.filter(segment__in=names)
            found.update(rows.values_list("segment", "offset"))
        return found

    def apply(self, batch: Sequence[Slice]) -> dict[str, int]:
        """Store the slices that begin where their segment stands.

        Returns:
            The byte up to which each segment of the batch is stored now.

        Raises:
            UnstorableError: If the database takes some of it neither now nor later.
        """
        try:
            return self._apply(batch)
        except (DataError, IntegrityError, OverflowError, ValueError) as error:
            # What the database is not made for; all else passes with time.
            raise UnstorableError(f"{type(error).__name__}: {error}") from error

    def report(self, status: Status) -> None:
        """Keep the newest status of a journal."""
        row = JournalRow(
            host=clean(status.host),
            directory=identifier(status.directory),
            pid=status.pid,
            segments=status.segments,
            size=status.size,
            pending=status.pending,
            oldest=status.oldest,
            seen_at=status.at,
        )
        with transaction.atomic(using=self._alias):
            connection = connections[self._alias]
            sql.upsert(connection, _model("JournalRecord"), sql.JOURNALS, [row])

    def housekeep(self, segments: Sequence[str]) -> None:
        """Delete a batch of what is old; ``segments`` lie in the journal."""
        if self.housekeeper is not None:
            self.housekeeper.step(segments)

    def _apply(self, batch: Sequence[Slice]) -> dict[str, int]:
        with transaction.atomic(using=self._alias):
            positions = self._lock_cursors(sorted(part.segment for part in batch))
            fold = Fold()
            for part in batch:
                if positions[part.segment] == part.begin:
                    fold.add_slice(part)
                    positions[part.segment] = part.end
            self._store(fold)
            self._move_cursors(fold, positions)
        for segment, skipped in fold.skipped.items():
            if skipped:
                logger.warning("%d unreadable events of %s were left out.", skipped, segment)
        return positions

    def close(self) -> None:
        """Close the database connection of this thread."""
        connections[self._alias].close()

    @property
    def _alias(self) -> str:
        return router.db_for_write(_model("TaskRecord"))

    def _lock_cursors(self, segments: Sequence[str]) -> dict[str, int]:
        """Where each segment stands; no other shipper moves it until the transaction ends."""
        model = _model("JournalCursor")
        cursors = model._default_manager.using(self._alias)
        now = timezone.now()
        # The write comes first: SQLite takes its lock here, and not halfway.
        cursors.bulk_create(
            [model(segment=segment, updated_at=now) for segment in segments], ignore_conflicts=True
        )
        locked = cursors.select_for_update().filter(segment__in=segments).order_by("segment")
        return dict(locked.values_list("segment", "offset"))

    def _store(self, fold: Fold) -> None:
        connection = connections[self._alias]
        tasks = sorted(fold.tasks.values(), key=attrgetter("project", "task_id"))
        groups = sorted(fold.groups.values(), key=attrgetter("project", "group_id"))
        workers = sorted(fold.workers.values(), key=attrgetter("project", "hostname"))
        sql.upsert(connection, _model("TaskRecord"), sql.TASKS, tasks)
        sql.upsert(connection, _model("GroupRecord"), sql.GROUPS, groups)
        sql.upsert(connection, _model("WorkerRecord"), sql.WORKERS, workers)
        if self.timeline:
            sql.insert(connection, _model("TaskEvent"), _TIMELINE, fold.timeline)
        sql.insert(connection, _model("JournalLoss"), _LOSS, fold.losses)

    def _move_cursors(self, fold: Fold, positions: Mapping[str, int]) -> None:
        cursors = _model("JournalCursor")._default_manager.using(self._alias)
        moved = list(cursors.filter(segment__in=sorted(fold.skipped)))
        now = timezone.now()
        for row in moved:
            row.offset = positions[row.segment]
            row.skipped += fold.skipped[row.segment]
            row.updated_at = now
        cursors.bulk_update(moved, ["offset", "skipped", "updated_at"])


def database_sink() -> DatabaseSink:
    """The sink of this project, in a process that may have no Django yet."""
    if not apps.ready:
        django.setup()
    from z4j_django.conf import settings

    housekeeper = retention.Housekeeper(settings.retention, settings.PROJECT)
    return DatabaseSink(timeline=settings.TIMELINE, housekeeper=housekeeper)


def _model(name: str) -> Any:
    """A model, found when it is needed: a shipper process imports this before Django is up."""
    return apps.get_model("z4j_django", name)
