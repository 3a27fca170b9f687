"""Runs that beat leaves out. A beat that is a program is in ``tests/process``."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from celery import Celery, beat

from tests.process.harness.waiting import wait_until
from tests.recording import Recorder
from z4j_django.agent import skipping
from z4j_django.agent.beat_signals import BeatSignals
from z4j_django.agent.skipping import Skip, Skips


class Other:
    """Who says what is to be left out."""

    def __init__(self, *skips: Skip) -> None:
        self.skips = list(skips)
        self.told: dict[int, float] = {}
        self.failing = False
        self.notes = True

    def __call__(self, left_out: Mapping[int, float]) -> Sequence[Skip]:
        if self.failing:
            raise ConnectionError("nobody answers")
        self.told.update(left_out)
        if self.notes:
            self.skips = [one for one in self.skips if one.key not in left_out]
        return list(self.skips)


def skip(key: int = 1, schedule: str = "tick", begin: float = -9, end: float = 9) -> Skip:
    now = time.time()
    return Skip(key, schedule, now + begin, now + end)


def test_one_run_is_left_out_and_told() -> None:
    other = Other(skip())
    skips = Skips(other)
    assert not skips.leaves_out("tick")  # nothing is known yet
    skips.refresh()
    assert [skips.leaves_out("tock"), skips.leaves_out("tick")] == [False, True]
    assert not skips.leaves_out("tick")
    skips.refresh()
    assert other.told.keys() == {1}
    assert not skips.leaves_out("tick")


def test_before_and_after_its_time_it_is_sent() -> None:
    for begin, end in ((5, 9), (-9, -5)):
        skips = Skips(Other(skip(begin=begin, end=end)))
        skips.refresh()
        assert not skips.leaves_out("tick")


def test_what_is_not_noted_yet_is_not_left_out_twice() -> None:
    other = Other(skip())
    other.notes = False
    skips = Skips(other)
    skips.refresh()
    assert skips.leaves_out("tick")
    skips.refresh()
    assert not skips.leaves_out("tick")


def test_while_nobody_answers_what_was_known_stands() -> None:
    other = Other(skip())
    skips = Skips(other)
    skips.refresh()
    other.failing = True
    with pytest.raises(ConnectionError):
        skips.refresh()
    assert skips.leaves_out("tick")
    other.failing = False
    skips.refresh()
    assert other.told.keys() == {1}


class Ticking(beat.Scheduler):
    """Celery's, which keeps nothing."""

    def setup_schedule(self) -> None:
        self.merge_inplace(self.app.conf.beat_schedule)

    def send_task(self, name: str, *args: Any, **kwargs: Any) -> None:
        sent.append(time.monotonic())


sent: list[float] = []
other = Other()


@pytest.fixture
def _beat(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One that sends every fifth of a second, and asks as often what to leave out."""
    sent.clear()
    monkeypatch.setattr(skipping, "EVERY", 0.05)
    app = Celery("beats", broker="memory://", fixups=[], set_as_current=False)
    app.conf.beat_schedule = {"tick": {"task": "shop.tick", "schedule": 0.2}}
    signals = BeatSignals(Recorder(), f"{__name__}:other")
    signals.connect()
    service = beat.Service(app, max_interval=0.1, scheduler_cls=Ticking)
    thread = threading.Thread(target=service.start, daemon=True)
    thread.start()
    yield
    service.stop()
    thread.join()
    signals.disconnect()
    signals.stop()


@pytest.mark.usefixtures("_beat")
def test_beat_leaves_out_one_run_and_keeps_its_time() -> None:
    wait_until(lambda: len(sent) > 1, 10, "two tasks")
    other.skips = [skip(7)]
    wait_until(lambda: 7 in other.told, 10, "a run that was left out")
    before = len(sent)
    wait_until(lambda: len(sent) > before + 1, 10, "two more")
    gaps = [after - first for first, after in itertools.pairwise(sent)]
    assert sum(gap > 0.33 for gap in gaps) == 1
    assert 0.33 < max(gaps) < 0.55


def test_where_nothing_is_to_be_asked_nothing_is_left_out() -> None:
    assert skipping.load("") is None
