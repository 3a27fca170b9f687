"""The run that a shipper makes every hour."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from tests.integration.aged import WEEK, ago, left, task
from z4j_django import retention_policy
from z4j_django.agent import events, housekeeping, journal, shipper
from z4j_django.models import JournalCursor, TaskRecord
from z4j_django.store import retention
from z4j_django.store.writer import DatabaseSink

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


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
            keeper.step([])
            counts.append(TaskRecord.objects.count())
        assert counts == [3, 1, 0, 0]
        for _ in range(9):
            keeper.step([])
        task("later", 8)
        clock.now = retention.EVERY - 1
        keeper.step([])
        assert left() == {"later"}
        clock.now = retention.EVERY
        keeper.step([])
        assert left() == set()

    def test_what_fails_is_begun_anew_in_an_hour(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = Clock()
        keeper = retention.Housekeeper(WEEK, "default", clock)
        task("a", 8)

        def fail(rows: Any) -> int:
            raise OperationalError("away")

        with monkeypatch.context() as patch:
            patch.setattr(retention, "_delete", fail)
            with pytest.raises(OperationalError):
                keeper.step([])
        keeper.step([])
        assert left() == {"a"}
        clock.now = retention.EVERY
        keeper.step([])
        assert left() == set()

    def test_without_ages_only_the_cursors_are_kept(self) -> None:
        task("a", 8)
        for segment in ("here", "elsewhere"):
            JournalCursor.objects.create(segment=segment, updated_at=ago(31))
        retention.Housekeeper(retention_policy.RetentionPolicy(), "default", Clock()).step(
            ["here", "never stored"]
        )
        assert left() == {"a"}
        assert list(retention.prune(WEEK, "default"))
        assert JournalCursor.objects.get().segment == "here"

    def test_a_shipper_prunes_and_ships(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(housekeeping, "EVERY", 0.0)
        writer = journal.Journal(tmp_path / "journal", "default")
        event = events.TaskEvent(kind=events.TASK_SENT, task_id="new", at=ago(0).timestamp())
        writer.write(events.encode(event))
        task("old", 8)
        sink = DatabaseSink(housekeeper=retention.Housekeeper(WEEK, "default"))
        ship = shipper.Shipper(tmp_path / "journal", sink)
        ship.run(threading.Event(), until=lambda: left() == {"new"})
