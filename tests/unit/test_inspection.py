"""A journal as one sees it from outside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks import MemorySink
from z4j_django.agent import events, inspection, journal, shipper


@pytest.fixture
def writer(directory: Path) -> Iterator[journal.Journal]:
    made = journal.Journal(directory, "shop")
    yield made
    made.close()


def line(task_id: str = "a", at: float = 1.0) -> bytes:
    return events.encode(events.TaskEvent(kind=events.TASK_SENT, task_id=task_id, at=at))


def test_a_journal_that_is_not_there_is_not_made(directory: Path) -> None:
    view = inspection.look(directory)
    assert (view.exists, view.segments, view.shipper) == (False, (), None)
    assert not directory.exists()


def test_looking_leaves_no_file_behind(directory: Path, writer: journal.Journal) -> None:
    writer.write(line())
    before = sorted(directory.iterdir())
    inspection.look(directory)
    assert sorted(directory.iterdir()) == before


def test_segments_are_shown_with_their_sizes_and_living_writers(
    directory: Path, writer: journal.Journal
) -> None:
    writer.write(line())
    writer.close()
    writer.write(line())
    first, second = inspection.look(directory).segments
    assert (first.writing, second.writing) == (False, True)
    assert [segment.size for segment in (first, second)] == [
        path.stat().st_size for path in journal.segments(directory)
    ]


def test_a_look_takes_no_segment_from_its_writer_or_its_reader(
    directory: Path, writer: journal.Journal
) -> None:
    writer.write(line())
    inspection.look(directory)
    writer.close()
    inspection.look(directory)
    [path] = journal.segments(directory)
    assert journal.SegmentFile(path).writer_is_dead()


def test_nobody_holds_a_lease_that_was_given_back(directory: Path) -> None:
    lease = shipper.process_lease(directory)
    assert lease.acquire()
    found = inspection.look(directory).process
    assert found is not None
    assert found.pid == os.getpid()
    lease.release()
    assert inspection.look(directory).process is None


def test_a_thread_that_ships_is_no_shipper_process(directory: Path) -> None:
    lease = shipper.lease(directory)
    assert lease.acquire()
    view = inspection.look(directory)
    assert view.process is None
    assert view.shipper is not None
    lease.release()


def test_a_lock_file_without_a_number_has_an_unknown_holder(directory: Path) -> None:
    lease = shipper.process_lease(directory)
    assert lease.acquire()
    lease.path.write_text("")
    found = inspection.holder(lease.path)
    assert found is not None
    assert found.pid == 0
    lease.release()


def test_what_was_never_stored_is_the_lag(directory: Path, writer: journal.Journal) -> None:
    writer.write(line("a", at=100.0))
    writer.write(line("b", at=90.0))
    lag = inspection.lag(inspection.look(directory), {})
    assert (lag.size, lag.events, lag.oldest) == (2 * len(line("a", 100.0)) - 1, 2, 100.0)
    assert lag.seconds(130.0) == 30.0
    assert lag.seconds(90.0) == 0.0


def test_what_is_stored_is_no_lag(directory: Path, writer: journal.Journal) -> None:
    writer.write(line("a"))
    sink = MemorySink()
    ship = shipper.Shipper(directory, sink)
    ship.step()
    assert inspection.lag(inspection.look(directory), sink.offsets) == inspection.Lag()
    writer.write(line("b", at=7.0))
    lag = inspection.lag(inspection.look(directory), sink.offsets)
    assert (lag.events, lag.oldest) == (1, 7.0)
    ship.close()


def test_what_was_written_since_the_look_does_not_count(
    directory: Path, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    view = inspection.look(directory)
    writer.write(line("b"))
    assert inspection.lag(view, {}).events == 1


def test_a_segment_that_is_stored_and_gone_is_no_lag(
    directory: Path, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    view = inspection.look(directory)
    for path in journal.segments(directory):
        path.unlink()
    assert inspection.lag(view, {}) == inspection.Lag()


def test_a_segment_without_a_header_is_no_lag(directory: Path, writer: journal.Journal) -> None:
    writer.write(line("a"))
    (directory / ("1-2-3" + journal.SUFFIX)).write_bytes(b"no header\n")
    assert inspection.lag(inspection.look(directory), {}).events == 1


def test_dead_events_and_unreadable_segments_are_counted(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    (directory / shipper.DEAD).write_bytes(b"{}\n{}\n")
    (directory / "1-2-3.journal.unreadable").write_bytes(b"")
    view = inspection.look(directory)
    assert (view.dead, view.unreadable, view.segments) == (2, 1, ())
