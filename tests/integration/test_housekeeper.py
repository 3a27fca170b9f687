"""The run that a shipper makes every hour."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from tests.integration.aged import WEEK, ago, left, task
from z4j_django import retention_policy
from z4j_django.agent import events, housekeeping, journal, shipper
from z4j_django.models import JournalCursor, TaskEvent, TaskRecord
from z4j_django.store import deleting, retention
from z4j_django.store.writer import DatabaseSink

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sent(task_id: str) -> bytes:
    return events.encode(events.TaskEvent(kind=events.TASK_SENT, task_id=task_id, at=time.time()))


class TestHousekeeper:
    def test_it_runs_at_once_and_then_every_hour_a_batch_at_a_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retention.prune, "__kwdefaults__", {"batch": 2, "dry_run": False})
        clock = Clock()
        keeper = retention.Housekeeper(WEEK, "default", clock)
        for number in range(5):
            task(str(number), 8)
        counts = []
        for _ in range(4):
            keeper.step()
            counts.append(TaskRecord.objects.count())
        assert counts == [3, 1, 0, 0]
        for _ in range(9):
            keeper.step()
        task("later", 8)
        clock.now = retention.EVERY - 1
        keeper.step()
        assert left() == {"later"}
        clock.now = retention.EVERY
        keeper.step()
        assert left() == set()

    def test_what_fails_is_begun_anew_in_an_hour(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = Clock()
        keeper = retention.Housekeeper(WEEK, "default", clock)
        task("a", 8)

        def fail(rows: Any) -> int:
            raise OperationalError("away")

        with monkeypatch.context() as patch:
            patch.setattr(deleting, "delete", fail)
            with pytest.raises(OperationalError):
                keeper.step()
        keeper.step()
        assert left() == {"a"}
        clock.now = retention.EVERY
        keeper.step()
        assert left() == set()

    def test_without_ages_nothing_goes(self) -> None:
        task("a", 8)
        retention.Housekeeper(retention_policy.RetentionPolicy(), "default", Clock()).step()
        assert left() == {"a"}

    def test_a_host_whose_clock_is_a_month_ahead_lets_no_one_store_twice(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writer = journal.Journal(tmp_path / "journal", "default")
        ship = shipper.Shipper(tmp_path / "journal", DatabaseSink())
        writer.write(sent("a"))
        assert ship.drain(5.0)
        ahead = time.time() + 31 * 86400
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: ahead)
            retention.Housekeeper(WEEK, "default", Clock()).step()
            list(retention.prune(WEEK, "default"))
        TaskEvent.objects.all().delete()
        writer.write(sent("b"))
        ship.close()
        assert shipper.Shipper(tmp_path / "journal", DatabaseSink()).drain(5.0)
        assert list(TaskEvent.objects.values_list("task_id", flat=True)) == ["b"]

    def test_the_cursor_of_a_segment_that_is_deleted_goes_in_time(self, tmp_path: Path) -> None:
        writers = [journal.Journal(tmp_path / "journal", "default") for _ in range(2)]
        for writer in writers:
            writer.write(sent("a"))
        writers[0].close()
        assert shipper.Shipper(tmp_path / "journal", DatabaseSink()).drain(5.0)
        assert JournalCursor.objects.filter(deleted_at=None).count() == 1
        deleted = JournalCursor.objects.exclude(deleted_at=None)
        assert list(retention.prune(WEEK, "default"))
        deleted.update(deleted_at=ago(31))
        assert list(retention.prune(WEEK, "default"))
        assert JournalCursor.objects.get().deleted_at is None

    def test_a_shipper_prunes_and_ships(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(housekeeping, "EVERY", 0.0)
        writer = journal.Journal(tmp_path / "journal", "default")
        writer.write(sent("new"))
        task("old", 8)
        sink = DatabaseSink(housekeeper=retention.Housekeeper(WEEK, "default"))
        ship = shipper.Shipper(tmp_path / "journal", sink)
        ship.run(threading.Event(), until=lambda: left() == {"new"})
