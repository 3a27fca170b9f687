"""A journal on a disk without room: it drains all the same, and tells what it lost."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.disks import full_disk
from tests.journals import line, ship
from tests.sinks import MemorySink
from z4j_django.agent import bootstrap, events, inspection, journal, losses, shipper
from z4j_django.agent.config import Config


def test_a_lease_is_taken_on_a_full_disk(directory: Path) -> None:
    lease = shipper.lease(directory)
    with full_disk():
        assert lease.acquire()
        found = inspection.holder(lease.path)
        assert found is not None
        assert found.pid == 0
    lease.release()


def test_a_lease_has_room_for_its_next_holder(directory: Path) -> None:
    first, second = shipper.lease(directory), shipper.lease(directory)
    assert first.acquire()
    size = first.path.stat().st_size
    first.release()
    with full_disk(size):
        assert second.acquire()
    assert first.path.stat().st_size == size
    second.release()


def test_a_torn_end_is_counted_and_goes_while_the_disk_is_full(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    size = journal.segments(directory)[0].stat().st_size
    with full_disk(size + 10):
        with pytest.raises(journal.TornError):
            writer.write(line("torn"))
        writer.close()
        assert ship(directory, sink)
        assert journal.segments(directory) == []
    assert sink.ids == ["a"]
    assert sink.losses == {events.UNREADABLE: 1}


def test_what_lacks_its_newline_alone_is_not_lost(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    size = journal.segments(directory)[0].stat().st_size
    with full_disk(size + len(line("whole")) - 1):
        writer.write(line("whole"))
        writer.close()
        assert ship(directory, sink)
    assert sink.ids == ["a", "whole"]
    assert not sink.losses


def test_a_torn_line_is_ended_though_the_disk_takes_nothing_more(
    directory: Path, sink: MemorySink, writer: journal.Journal
) -> None:
    writer.write(line("a"))
    size = journal.segments(directory)[0].stat().st_size
    with full_disk(size + 10), pytest.raises(journal.TornError):
        writer.write(line("torn"))
    with full_disk(size + 11), pytest.raises(OSError, match="no room") as caught:
        writer.write(line("nothing of it"))
    assert not isinstance(caught.value, journal.TornError)
    writer.write(line("b"))
    writer.close()
    assert ship(directory, sink)
    assert sink.ids == ["a", "b"]
    assert sink.losses == {events.UNREADABLE: 1}


def test_no_event_leaves_a_file_on_a_full_disk(directory: Path, writer: journal.Journal) -> None:
    with full_disk():
        with pytest.raises(OSError, match="File too large"):
            writer.write(line("0"))
        assert list(directory.iterdir()) == []
        tried = directory.stat().st_mtime_ns
        for number in range(1, 100):
            with pytest.raises(OSError, match="File too large"):
                writer.write(line(str(number)))
        assert directory.stat().st_mtime_ns == tried
    writer._next_birth = 0.0  # as it comes by itself in half a second
    writer.write(line("there is room again"))
    assert [path.suffix for path in directory.iterdir()] == [journal.SUFFIX]


def test_what_is_stored_goes_before_more_is_stored(
    directory: Path,
    sink: MemorySink,
    writer: journal.Journal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "ROLL_AT", 1_000)
    monkeypatch.setattr(shipper, "BATCH", 1_000)
    for number in range(100):
        writer.write(line(str(number)))
    writer.close()
    ships = shipper.Shipper(directory, sink)
    before = len(journal.segments(directory))
    for _ in range(4):
        ships.step()
    assert sink.ids != [str(number) for number in range(100)]
    assert len(journal.segments(directory)) < before


def test_an_unstorable_event_holds_up_nothing_on_a_full_disk(
    directory: Path, sink: MemorySink, writer: journal.Journal, caplog: pytest.LogCaptureFixture
) -> None:
    sink.poison = b"bad"
    for name in ("a", "bad", "b"):
        writer.write(line(name))
    writer.close()
    with full_disk():
        assert ship(directory, sink)
    assert sink.ids == ["a", "b"]
    assert sink.losses == {events.UNSTORABLE: 1}
    assert "Nor could it be kept" in caplog.text


def test_past_its_cap_a_journal_on_a_full_disk_is_dropped_and_told(
    directory: Path,
    sink: MemorySink,
    writer: journal.Journal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shipper, "BACKOFF", (0.01, 0.01))
    writer.write(line("a"))
    writer.write(line("b"))
    writer.close()
    sink.failing = ConnectionError("database is away")
    with full_disk():
        shipper.Shipper(directory, sink, max_bytes=10).step()
        assert journal.segments(directory) == []
        sink.failing, sink.forgets_to_answer = None, True
        shipper.Shipper(directory, sink).step()  # it dies before it hears that it is told
        sink.forgets_to_answer = False
        assert ship(directory, sink)
    assert sink.losses == {events.OVER_CAP: 2}
    assert not [path for path in directory.iterdir() if path.suffix != ".lock"]


class TestLosses:
    """What could not be written is told, whatever becomes of who could not write it."""

    @pytest.fixture
    def config(self, directory: Path) -> Config:
        return Config(
            find_directory=lambda: directory,
            project="shop.eu / Süd",
            sink="tests.sinks:MemorySink",
            describe_app=lambda: "",
            framework="django",
            shipping="external",
            under_tests=True,
        )

    @staticmethod
    def note(agent: bootstrap.Agent, count: int) -> None:
        for number in range(count):
            event = events.TaskEvent(kind=events.TASK_SENT, task_id=str(number), at=1.0)
            agent.note(event)

    @pytest.mark.parametrize("how", [signal.SIGKILL, None])
    def test_those_of_a_child_that_is_gone_are_told(
        self,
        directory: Path,
        sink: MemorySink,
        config: Config,
        how: signal.Signals | None,
    ) -> None:
        agent = bootstrap.Agent(config)
        with full_disk():
            self.note(agent, 1)
            for _ in range(2):
                pid = os.fork()
                if pid == 0:
                    self.note(agent, 30)
                    if how:
                        os.kill(os.getpid(), how)
                    os._exit(0)
                os.waitpid(pid, 0)
            assert ship(directory, sink)
        assert sink.losses == {events.UNWRITTEN: 61}
        assert not list(directory.glob("*.los*"))

    def test_stored_and_told_are_all_that_was_written(
        self,
        directory: Path,
        sink: MemorySink,
        config: Config,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(journal, "BIRTH_EVERY", 0.0)
        agent = bootstrap.Agent(config)
        ships = shipper.Shipper(directory, sink)
        for room in range(0, 4_800, 150):
            with full_disk(room):
                self.note(agent, 3)
                ships._reported = 0.0
                ships.step()
        agent._on_exit()
        assert ship(directory, sink)
        assert sink.losses.total() + len(sink.ids) == 96
        assert sink.losses[events.UNREADABLE] > 5
        assert len(sink.ids) > 5

    def test_those_that_a_dying_shipper_took_are_told_once(
        self, directory: Path, sink: MemorySink, config: Config
    ) -> None:
        agent = bootstrap.Agent(config)
        with full_disk():
            self.note(agent, 2)
            sink.forgets_to_answer = True
            shipper.Shipper(directory, sink).step()
            sink.forgets_to_answer = False
            self.note(agent, 3)
            assert ship(directory, sink)
        assert sink.losses == {events.UNWRITTEN: 5}

    def test_those_that_were_told_are_not_told_again(
        self, directory: Path, sink: MemorySink, config: Config
    ) -> None:
        agent = bootstrap.Agent(config)
        with full_disk():
            self.note(agent, 2)
            assert ship(directory, sink)
            self.note(agent, 1)
            agent._on_exit()
            assert ship(directory, sink)
        assert sink.losses == {events.UNWRITTEN: 3}

    def test_those_that_were_deleted_with_the_directory_are_counted_again(
        self, directory: Path, sink: MemorySink, config: Config
    ) -> None:
        agent = bootstrap.Agent(config)
        with full_disk():
            self.note(agent, 2)
            shutil.rmtree(directory)
            agent._on_exit()
            assert ship(directory, sink)
        assert sink.losses == {events.UNWRITTEN: 2}

    def test_they_are_the_projects(self, directory: Path, config: Config) -> None:
        with full_disk():
            self.note(bootstrap.Agent(config), 2)
        [part] = losses.take(directory, 10).values()
        assert part.header.project == "shop.eu / Süd"
