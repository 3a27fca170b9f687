"""The turns of a sink that tidies up."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.sinks import MemorySink
from z4j_django.agent import events, housekeeping, journal, shipper


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(housekeeping, "time", made)
    return made


def write(directory: Path, *task_ids: str) -> journal.Journal:
    writer = journal.Journal(directory, "shop")
    for task_id in task_ids:
        event = events.TaskEvent(kind=events.TASK_SENT, task_id=task_id, at=1.0)
        writer.write(events.encode(event))
    return writer


def test_a_turn_comes_after_a_while(clock: Clock) -> None:
    sink = MemorySink()
    turns = housekeeping.Turns(sink.housekeep)
    turns.take(unless=False)
    assert sink.housekept == 0
    clock.now += housekeeping.EVERY
    turns.take(unless=False)
    turns.take(unless=False)
    assert sink.housekept == 1


def test_the_pause_counts_from_the_end_of_a_turn(clock: Clock) -> None:
    taken: list[float] = []

    def long_turn() -> None:
        taken.append(clock.now)
        clock.now += 10.0

    turns = housekeeping.Turns(long_turn)
    clock.now += housekeeping.EVERY
    turns.take(unless=False)
    turns.take(unless=False)
    assert len(taken) == 1


def test_there_is_no_turn_while_shipping_fails(clock: Clock) -> None:
    sink = MemorySink()
    turns = housekeeping.Turns(sink.housekeep)
    clock.now += housekeeping.EVERY
    turns.take(unless=True)
    assert sink.housekept == 0


def test_what_goes_wrong_in_a_turn_is_logged_and_harms_nothing(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("no room to tidy")

    turns = housekeeping.Turns(fail)
    clock.now += housekeeping.EVERY
    turns.take(unless=False)
    assert caplog.messages == ["The sink could not tidy up: RuntimeError: no room to tidy"]


def test_a_shipper_that_is_never_idle_gives_turns_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "EVERY", 0.0)
    monkeypatch.setattr(shipper, "BATCH", 1)
    monkeypatch.setattr(shipper, "SHARE", 1)
    write(tmp_path / "journal", *"abcdefgh")
    sink = MemorySink()
    stop = threading.Event()
    shipper.Shipper(tmp_path / "journal", sink).run(stop, until=lambda: len(sink.ids) >= 4)
    assert len(sink.ids) == 4
    assert sink.housekept >= 4


def test_a_drain_leaves_no_time_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "EVERY", 0.0)
    write(tmp_path / "journal", "a")
    sink = MemorySink()
    assert shipper.Shipper(tmp_path / "journal", sink).drain(5.0)
    assert (sink.ids, sink.housekept) == (["a"], 0)
