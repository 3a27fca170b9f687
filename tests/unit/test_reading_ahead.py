"""A batch is made ready while the one before it is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journals import line
from tests.sinks import MemorySink
from z4j_django.agent import journal, shipper


class TestReadingAhead:
    """A batch is made ready while the one before it is stored."""

    @pytest.fixture(autouse=True)
    def _small_batches(self, monkeypatch: pytest.MonkeyPatch, sink: MemorySink) -> None:
        size = len(line("000"))
        monkeypatch.setattr(shipper, "BATCH", 10 * size)
        monkeypatch.setattr(shipper, "SHARE", size)
        monkeypatch.setattr(shipper, "FULL", 5 * size)
        sink.reads_ahead = True

    @staticmethod
    def written(writer: journal.Journal, begin: int, end: int) -> list[str]:
        ids = [f"{number:03}" for number in range(begin, end)]
        for each in ids:
            writer.write(line(each))
        return ids

    def test_a_backlog_is_stored_whole_and_once(
        self, directory: Path, sink: MemorySink, writer: journal.Journal
    ) -> None:
        ids = self.written(writer, 0, 95)
        assert shipper.Shipper(directory, sink).drain(5.0)
        assert sink.ids == ids
        assert len(sink.prepared) >= 9

    def test_what_is_written_after_nothing_was_found_ahead_is_stored(
        self, directory: Path, sink: MemorySink, writer: journal.Journal
    ) -> None:
        ids = self.written(writer, 0, 10)
        ship = shipper.Shipper(directory, sink)
        ship.step()  # a full batch; ahead of it there is nothing
        assert sink.prepared == [[]]
        ids += self.written(writer, 10, 13)
        assert ship.drain(5.0)
        assert sink.ids == ids

    def test_what_was_read_ahead_of_a_failure_is_read_again(
        self,
        directory: Path,
        sink: MemorySink,
        writer: journal.Journal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(shipper, "BACKOFF", (0.01, 0.01))
        ids = self.written(writer, 0, 45)
        ship = shipper.Shipper(directory, sink)
        ship.step()
        sink.failing = ConnectionError("database is away")
        ship.step()
        sink.failing = None
        sink.forgets_to_answer = True
        ship.step()
        sink.forgets_to_answer = False
        assert ship.drain(5.0)
        assert sink.ids == ids

    def test_what_another_shipper_stored_meanwhile_is_left_out(
        self, directory: Path, sink: MemorySink, writer: journal.Journal
    ) -> None:
        ids = self.written(writer, 0, 45)
        first, second = (shipper.Shipper(directory, sink) for _ in range(2))
        first.step()
        second.step()
        second.step()
        assert first.drain(5.0)
        assert second.drain(5.0)
        assert sink.ids == ids

    def test_a_poisoned_event_among_them_is_set_aside_alone(
        self, directory: Path, sink: MemorySink, writer: journal.Journal
    ) -> None:
        sink.poison = b'"021"'
        ids = self.written(writer, 0, 45)
        assert shipper.Shipper(directory, sink).drain(5.0)
        assert sink.ids == [each for each in ids if each != "021"]
        assert (directory / shipper.DEAD).exists()

    def test_a_batch_that_can_not_be_made_ready_is_stored_all_the_same(
        self,
        directory: Path,
        sink: MemorySink,
        writer: journal.Journal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fails(batch: object) -> None:
            raise ValueError("no rows can be made of this")

        monkeypatch.setattr(sink, "prepare", fails)
        ids = self.written(writer, 0, 45)
        assert shipper.Shipper(directory, sink).drain(5.0)
        assert sink.ids == ids

    def test_the_status_counts_what_is_only_read_as_waiting(
        self, directory: Path, sink: MemorySink, writer: journal.Journal
    ) -> None:
        self.written(writer, 0, 20)
        ship = shipper.Shipper(directory, sink)
        ship.step()
        status = ship.status()
        assert status.pending == 10 * len(line("000"))
        assert status.oldest == 1.0
