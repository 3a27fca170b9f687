"""From segments to a sink."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from tests.journals import line
from tests.sinks import MemorySink
from z4j_django.agent import events, journal, shipper, shipper_process


def test_what_is_written_is_shipped(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    ship = shipper.Shipper(directory, sink)
    writer.write(line("a"))
    assert ship.drain(5.0)
    writer.write(line("b"))
    assert ship.drain(5.0)
    assert sink.ids == ["a", "b"]


def test_a_dead_writers_segment_is_read_to_its_end_and_deleted(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    writer.close()
    assert shipper.Shipper(directory, sink).drain(5.0)
    assert sink.ids == ["a"]
    assert journal.segments(directory) == []


def test_a_living_writers_segment_stays(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    assert shipper.Shipper(directory, sink).drain(5.0)
    assert len(journal.segments(directory)) == 1


def test_a_second_shipper_goes_on_where_the_first_stopped(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    first = shipper.Shipper(directory, sink)
    assert first.drain(5.0)
    writer.write(line("b"))
    assert shipper.Shipper(directory, sink).drain(5.0)
    assert first.drain(5.0)
    assert sink.ids == ["a", "b"]


def test_a_lost_answer_doubles_nothing(
    directory: Path, sink: MemorySink, writer: journal.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper, "BACKOFF", (0.01, 0.01))
    writer.write(line("a"))
    ship = shipper.Shipper(directory, sink)
    sink.forgets_to_answer = True
    ship.step()
    sink.forgets_to_answer = False
    assert ship.drain(5.0)
    assert sink.ids == ["a"]


def test_a_failing_sink_is_tried_less_and_less_often_and_nothing_is_lost(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    ship = shipper.Shipper(directory, sink)
    sink.failing = ConnectionError("database is away")
    waits = [ship.step() for _ in range(8)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    sink.failing = None
    assert ship.drain(5.0)
    assert sink.ids == ["a"]


def test_trouble_is_logged_once_and_not_at_each_try(
    directory: Path, sink: MemorySink, writer: journal.Journal, caplog: pytest.LogCaptureFixture
) -> None:
    writer.write(line("a"))
    ship = shipper.Shipper(directory, sink)
    sink.failing = ConnectionError("database is away")
    for _ in range(5):
        ship.step()
    [record] = caplog.records
    assert "nothing is lost: ConnectionError: database is away" in record.getMessage()


def test_a_drain_ends_in_time_when_the_sink_fails(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    sink.failing = ConnectionError("database is away")
    begun = time.monotonic()
    assert not shipper.Shipper(directory, sink).drain(0.2)
    assert time.monotonic() - begun < 5.0
    assert sink.ids == []


def test_a_batch_is_bounded(
    directory: Path, sink: MemorySink, writer: journal.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper, "BATCH", 500)
    monkeypatch.setattr(shipper, "SHARE", 500)
    for number in range(100):
        writer.write(line(str(number)))
    ship = shipper.Shipper(directory, sink)
    ship.step()
    assert 0 < len(sink.ids) < 10
    assert ship.drain(5.0)
    assert sink.ids == [str(number) for number in range(100)]


class TestDeletedSegments:
    """Someone deletes the directory under those who use it."""

    @pytest.fixture(autouse=True)
    def _look_each_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(journal, "CHECK_EVERY", 0.0)

    def test_what_a_shipper_has_open_is_stored_all_the_same(
        self,
        directory: Path,
        sink: MemorySink,
        writer: journal.Journal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(shipper, "BACKOFF", (0.01, 0.01))
        writer.write(line("a"))
        ship = shipper.Shipper(directory, sink)
        assert ship.drain(5.0)
        writer.write(line("b"))
        writer.close()
        shutil.rmtree(directory)
        sink.failing = ConnectionError("database is away")
        ship.step()
        sink.failing = None
        assert ship.drain(5.0)
        assert sink.ids == ["a", "b"]
        assert sink.forgotten == []

    def test_what_its_writer_writes_anew_is_stored_once(
        self, directory: Path, sink: MemorySink, writer: journal.Journal
    ) -> None:
        ship = shipper.Shipper(directory, sink)
        for number in range(6):
            writer.write(line(f"{number} before"))
            if number % 2:
                assert ship.drain(5.0)
            shutil.rmtree(directory)
            writer.write(line(f"{number} after"))
            if number % 3:
                assert ship.drain(5.0)
        writer.close()
        assert ship.drain(5.0)
        assert sink.ids == [f"{n} {when}" for n in range(6) for when in ("before", "after")]
        assert journal.segments(directory) == []
        assert len(sink.forgotten) == 1

    def test_a_shipper_whose_lease_was_deleted_takes_the_new_one(
        self, directory: Path, sink: MemorySink, writer: journal.Journal
    ) -> None:
        writer.write(line("a"))
        stop = threading.Event()

        def until() -> bool:
            if sink.ids == ["a"]:
                shutil.rmtree(directory)
                writer.write(line("b"))
            return "b" in sink.ids and shipper.process_lease(directory).path.exists()

        assert shipper_process.ship(
            directory, lambda: sink, max_bytes=1000, stop=stop, until=until, drain=5.0
        )
        assert sink.ids == ["a", "b"]


def test_a_newer_versions_segment_is_left_alone(
    directory: Path, sink: MemorySink, writer: journal.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "SCHEMA", events.SCHEMA + 1)
    writer.write(line("future"))
    writer.close()
    monkeypatch.undo()
    assert shipper.Shipper(directory, sink).drain(5.0)
    assert sink.ids == []
    assert len(journal.segments(directory)) == 1


def test_a_file_that_is_no_segment_is_set_aside(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    (directory / "0-1-x.journal").write_bytes(b"nonsense\n")
    assert shipper.Shipper(directory, sink).drain(5.0)
    assert sink.ids == ["a"]
    assert (directory / "0-1-x.journal.unreadable").exists()


def test_an_unborn_segment_is_litter_after_a_minute(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    fresh, old = (directory / (name + journal.UNBORN) for name in ("1", "2"))
    for path in (fresh, old):
        path.touch()
    os.utime(old, (time.time() - 120, time.time() - 120))
    assert shipper.Shipper(directory, sink).drain(5.0)
    assert fresh.exists()
    assert not old.exists()


def test_it_stops_when_told(directory: Path, sink: MemorySink) -> None:
    stop = threading.Event()
    ship = shipper.Shipper(directory, sink)
    thread = threading.Thread(target=ship.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(5.0)
    assert not thread.is_alive()


def test_only_one_that_ends_leaves_its_sink_for_good(
    directory: Path, sink: MemorySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper, "RELEASE_AFTER", 0.0)
    ship = shipper.Shipper(directory, sink)
    ship.step()
    assert (sink.closed, sink.ended) == (1, 0)
    ship.close()
    assert (sink.closed, sink.ended) == (2, 1)


def test_an_unstorable_event_is_set_aside_alone(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    sink.poison = b"bad"
    other = journal.Journal(directory, "shop")
    for number in range(20):
        writer.write(line(f"bad-{number}" if number in {0, 7, 19} else str(number)))
        other.write(line(f"other-{number}"))
    ship = shipper.Shipper(directory, sink)
    assert ship.drain(5.0)
    good = [str(number) for number in range(20) if number not in {0, 7, 19}]
    assert sorted(sink.ids) == sorted(good + [f"other-{number}" for number in range(20)])
    dead = (directory / shipper.DEAD).read_text().splitlines()
    assert len(dead) == 3
    assert "bad-0" in dead[0]
    losses = [event for event in sink.events if isinstance(event, events.LossEvent)]
    assert [(loss.reason, loss.count) for loss in losses] == [(events.UNSTORABLE, 1)] * 3


def test_the_file_of_dead_events_is_private_and_bounded(
    directory: Path, sink: MemorySink, writer: journal.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper, "DEAD_BYTES", 1_000)
    sink.poison = b"bad"
    for number in range(50):
        writer.write(line(f"bad-{number}"))
    assert shipper.Shipper(directory, sink).drain(5.0)
    path = directory / shipper.DEAD
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size < 2_000
    assert len([event for event in sink.events if isinstance(event, events.LossEvent)]) == 50


def test_past_its_cap_the_journal_drops_the_oldest_closed_segments(
    directory: Path, sink: MemorySink, writer: journal.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "ROLL_AT", 2_000)
    for number in range(200):
        writer.write(line(str(number)))
    ship = shipper.Shipper(directory, sink, max_bytes=6_000)
    sink.failing = ConnectionError("database is away")
    ship.step()
    assert sum(path.stat().st_size for path in journal.segments(directory)) < 8_000
    sink.failing = None
    assert ship.drain(5.0)
    lost = sum(event.count for event in sink.events if isinstance(event, events.LossEvent))
    assert sink.ids == [str(number) for number in range(lost, 200)]
    assert 0 < lost < 200


@pytest.mark.parametrize("is_away", [False, True])
def test_what_an_earlier_shipper_stored_is_no_loss_where_the_sink_says_so(
    directory: Path,
    sink: MemorySink,
    writer: journal.Journal,
    is_away: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    writer.write(line("a"))
    writer.write(line("b"))
    assert shipper.Shipper(directory, sink).drain(5.0)
    writer.write(line("c"))
    writer.close()
    [segment] = journal.segments(directory)
    sink.failing, sink.is_away = OSError("no room for anything more"), is_away
    shipper.Shipper(directory, sink, max_bytes=10).step()
    assert journal.segments(directory) == []
    sink.failing, sink.is_away = None, False
    assert shipper.Shipper(directory, sink).drain(5.0)
    assert sink.ids == ["a", "b"]
    [told] = [event for event in sink.events if isinstance(event, events.LossEvent)]
    if is_away:
        said = "at most, as the store could not be asked: "
        assert (told.count, told.detail) == (3, said + segment.stem)
        assert f"The journal is full: at most 3 events of {segment.name} are lost." in caplog.text
    else:
        assert (told.count, told.detail) == (1, segment.stem)
        assert f"The journal is full: 1 events of {segment.name} are lost." in caplog.text


def test_the_cap_spares_what_is_still_written(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    for number in range(100):
        writer.write(line(str(number)))
    ship = shipper.Shipper(directory, sink, max_bytes=10)
    sink.failing = ConnectionError("database is away")
    ship.step()
    sink.failing = None
    assert ship.drain(5.0)
    assert len(sink.ids) == 100


def test_a_torn_end_is_counted(directory: Path, sink: MemorySink, writer: journal.Journal) -> None:
    writer.write(line("a"))
    with journal.segments(directory)[0].open("ab") as file:
        file.write(b'{"of":"ta')
    writer.close()
    ship = shipper.Shipper(directory, sink)
    assert ship.drain(5.0)
    assert ship.drain(5.0)
    [loss] = [event for event in sink.events if isinstance(event, events.LossEvent)]
    assert (loss.reason, loss.count) == (events.UNREADABLE, 1)


def test_it_reports_how_the_journal_stands(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    ship = shipper.Shipper(directory, sink)
    ship._discover()
    behind = ship.status()
    assert (behind.segments, behind.pending, behind.oldest) == (1, len(line("a")), 1.0)
    assert ship.drain(5.0)
    assert sink.status is not None
    assert (sink.status.pending, sink.status.oldest) == (0, None)
    assert sink.status.pid == os.getpid()
