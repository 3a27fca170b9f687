"""The agent of a process."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import time
from pathlib import Path

import pytest
from celery.worker import state

from tests.sinks import MemorySink
from z4j_django import __version__
from z4j_django.agent import bootstrap, events, journal, shipper, shipping
from z4j_django.agent.config import Config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        find_directory=lambda: tmp_path / "journal",
        project="shop",
        sink="tests.sinks:MemorySink",
        describe_app=lambda: "shop.celery:app",
        framework="django",
        shipping="external",
        under_tests=True,
    )


EVENT = events.TaskEvent(kind=events.TASK_SENT, task_id="a", at=1.0)


def test_an_event_lands_in_the_journal(config: Config) -> None:
    bootstrap.Agent(config).record(EVENT)
    [path] = journal.segments(config.find_directory())
    data, _ = journal.SegmentFile(path).read(1 << 20)
    assert events.decode(data)[0] == [EVENT]


def test_an_event_that_no_signal_tells_of_lands_in_the_journal(config: Config) -> None:
    bootstrap.Agent(config).note(EVENT)
    [path] = journal.segments(config.find_directory())
    data, _ = journal.SegmentFile(path).read(1 << 20)
    assert events.decode(data)[0] == [EVENT]


def test_a_process_that_does_not_record_takes_no_note(config: Config) -> None:
    bootstrap.Agent(dataclasses.replace(config, under_tests=False)).note(EVENT)
    assert journal.segments(config.find_directory()) == []


def test_a_note_that_cannot_be_written_is_counted_and_raises_nothing(
    config: Config, tmp_path: Path
) -> None:
    (tmp_path / "journal").write_text("no directory")
    agent = bootstrap.Agent(config)
    agent.note(EVENT)
    assert agent.losses == 1


def test_losses_are_counted_and_logged_once_a_minute(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    agent = bootstrap.Agent(config)
    for _ in range(1_000):
        agent.lost(OSError(28, "no space left on device"))
    assert agent.losses == 1_000
    [record] = caplog.records
    assert "could not record an event (1 lost in this process so far)" in record.getMessage()


@pytest.mark.parametrize("records", [True, False])
def test_a_worker_that_records_marks_itself_in_celerys_own_events(
    config: Config, monkeypatch: pytest.MonkeyPatch, records: bool
) -> None:
    monkeypatch.setattr(state, "SOFTWARE_INFO", {"sw_ident": "py-celery"})
    agent = bootstrap.Agent(dataclasses.replace(config, under_tests=records))
    agent._on_worker_init(object())
    assert state.SOFTWARE_INFO.get(bootstrap.MARK) == (__version__ if records else None)


def test_the_agent_that_listens_can_be_found(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "_installed", None)
    agent = bootstrap.Agent(config)
    assert bootstrap.installed() is None
    agent.install()
    for handlers in agent._signal_handlers:
        handlers.disconnect()
    assert bootstrap.installed() is agent


def test_a_thread_makes_way_for_a_shipper_process(config: Config) -> None:
    process = shipper.process_lease(config.find_directory())
    assert process.acquire()
    thread = shipping.ShippingThread(config, first_look=0.0)
    thread.start()
    mine = shipper.lease(config.find_directory())
    assert mine.acquire()  # the thread did not take it
    thread.stop(5.0)
    mine.release()


def test_a_script_ships_what_it_wrote_when_it_ends(config: Config) -> None:
    agent = bootstrap.Agent(config)
    agent.record(EVENT)
    agent.journal.close()
    thread = shipping.ShippingThread(config, first_look=60.0)
    thread.start()
    thread.stop(5.0)
    assert journal.segments(config.find_directory()) == []


def told(config: Config) -> dict[str, int]:
    """The losses that a shipper finds."""
    sink = MemorySink()
    assert shipper.Shipper(config.find_directory(), sink).drain(5.0)
    return sink.losses


def test_losses_are_told_once(config: Config) -> None:
    agent = bootstrap.Agent(config)
    for _ in range(3):
        agent.lost(OSError(28, "no space left on device"))
    agent.record(EVENT)
    agent._on_exit()
    assert told(config) == {events.UNWRITTEN: 3}
    assert told(config) == {}


def test_losses_that_could_not_be_counted_on_the_disk_are_so_later(
    config: Config, tmp_path: Path
) -> None:
    (tmp_path / "journal").write_text("no directory")
    agent = bootstrap.Agent(config)
    agent.note(EVENT)
    agent.note(EVENT)
    (tmp_path / "journal").unlink()
    agent.record(EVENT)
    assert told(config) == {events.UNWRITTEN: 2}


def test_the_directory_is_asked_for_when_the_first_event_comes(
    config: Config, tmp_path: Path
) -> None:
    asked: list[Path] = []

    def find() -> Path:
        asked.append(tmp_path / f"journal-{len(asked)}")
        return asked[-1]

    agent = bootstrap.Agent(dataclasses.replace(config, find_directory=find))
    assert asked == []
    agent.record(EVENT)
    agent._after_fork()  # the child may be another user by now
    agent.record(EVENT)
    assert [len(journal.segments(path)) for path in asked] == [1, 1]


def test_a_fork_that_no_hook_tells_of_is_noticed(config: Config) -> None:
    agent = bootstrap.Agent(config)
    agent.record(EVENT)
    lease = shipper.lease(config.find_directory())
    assert lease.acquire()
    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            agent.record(EVENT)
            os._exit(lease.held)
        os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    lease.release()
    headers = [
        journal.SegmentFile(path).header for path in journal.segments(config.find_directory())
    ]
    assert [header.pid for header in headers] == [os.getpid(), pid]


def test_a_process_that_was_forked_unnoticed_ends_at_once(config: Config) -> None:
    agent = bootstrap.Agent(dataclasses.replace(config, shipping="thread"))
    agent.record(EVENT)
    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            begun = time.monotonic()
            agent._on_exit()
            os._exit(time.monotonic() - begun > shipping.DRAIN_PUBLISHER / 2)
        os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    agent._on_exit()
