"""How far tasks say they are, in the process that runs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery, Task
from celery.exceptions import Retry
from celery.signals import task_postrun

import z4j_django
from tests.recording import Recorder
from z4j_django.agent import events, progress, sampling, throttle
from z4j_django.agent.task_signals import TaskSignals

app = Celery("progress", broker="memory://", backend="cache+memory://", set_as_current=False)
progress.offer()


@app.task(bind=True)
def say(self: Task, words: list[Any]) -> None:
    for one in words:
        self.z4j.progress(*one)


@app.task(bind=True, z4j={"sample": 0.0})
def noise(self: Task) -> None:
    self.z4j.progress(1, 2)


@app.task(bind=True)
def again(self: Task) -> None:
    z4j_django.progress(self.request.retries, 2, "so far")
    z4j_django.progress(self.request.retries, 2, "later")
    if not self.request.retries:
        raise Retry("once more")


class Hostile:
    """Raises whatever is asked of it."""

    def __float__(self) -> float:
        raise RuntimeError("no number")

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    app.set_current()
    found = Recorder()
    tasks = TaskSignals(found, sampling.Sampling({}))
    teller = progress.Progress(found, tasks.running)
    tasks.connect()
    monkeypatch.setattr(progress, "_teller", teller)
    yield found
    tasks.disconnect()
    teller.disconnect()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, which stand still until somebody sets them."""
    now = [1000.0]
    monkeypatch.setattr(throttle.time, "monotonic", lambda: now[0])
    return now


def told(recorder: Recorder) -> list[events.Progress]:
    found = [one for one in recorder.events if isinstance(one, events.TaskEvent)]
    return [one.progress for one in found if one.progress is not None]


def test_the_first_and_the_last_of_a_second_are_journaled(
    recorder: Recorder, clock: list[float]
) -> None:
    say.apply(([[1, 9, "a"], [2, 9, "b"], [3, 9, "c"]],), task_id="t")
    assert [(one.current, one.text) for one in told(recorder)] == [(1.0, "a"), (3.0, "c")]
    found = [one for one in recorder.events if one.kind == events.TASK_PROGRESS]
    assert [one.task_id for one in found] == ["t", "t"]
    started = recorder.events[0]
    assert started.at < found[0].at < found[1].at


def test_one_a_second_is_journaled(recorder: Recorder, clock: list[float]) -> None:
    @app.task(name="slow")
    def slow() -> None:
        for number in range(30):
            clock[0] += 0.25
            z4j_django.progress(number)

    slow.apply()
    assert [one.current for one in told(recorder)] == [*range(0, 29, 4), 29]


def test_one_that_was_told_is_not_told_again_at_the_end(recorder: Recorder) -> None:
    say.apply(([[1, 2]],))
    assert told(recorder) == [events.Progress(1.0, 2.0)]


def test_each_attempt_begins_anew(recorder: Recorder, clock: list[float]) -> None:
    for retries in (0, 1):
        again.apply(task_id="t", retries=retries)
    found = [one for one in recorder.events if one.kind == events.TASK_PROGRESS]
    assert [(one.retries, one.progress.text) for one in found[:2]] == [(0, "so far"), (0, "later")]
    assert {one.retries for one in found} == {0, 1}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((Hostile(), "x", 7), events.Progress(text="7")),
        ((1, 2, Hostile()), events.Progress(1.0, 2.0)),
        ((float("nan"), float("inf")), events.Progress()),
        ((10**400, True), events.Progress(None, 1.0)),
        ((1, None, "x" * 1000), events.Progress(1.0, None, "x" * 255)),
    ],
)
def test_what_makes_no_sense_is_left_out(
    recorder: Recorder, given: Any, expected: events.Progress
) -> None:
    say.apply(([given],))
    assert told(recorder) == [expected]
    assert recorder.losses == []


def test_nothing_that_goes_wrong_is_the_tasks(recorder: Recorder) -> None:
    recorder.failing = True
    assert say.apply(([[1, 2]],)).successful()
    assert {type(loss) for loss in recorder.losses} == {OSError}


def test_a_soft_time_limit_is_the_tasks_own(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*args: object) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(progress, "_number", late)
    ended = say.apply(([[1, 2]],))
    assert isinstance(ended.result, SoftTimeLimitExceeded)


def test_outside_of_a_task_nothing_happens(recorder: Recorder) -> None:
    z4j_django.progress(1, 2)
    recorder.wanted = False
    say.apply(([[1, 2]],))
    assert recorder.events == []


def test_without_an_agent_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_teller", None)
    assert say.apply(([[1, 2]],)).successful()


def test_a_task_that_says_how_much_to_record_has_it_too(recorder: Recorder) -> None:
    assert isinstance(noise.z4j, progress.OfTask)
    assert sampling._own_share(noise) == 0.0
    assert sampling._own_share(say) == 1.0
    assert noise.apply().successful()
    assert told(recorder) == []


def test_nobody_listens_until_a_task_says_something(recorder: Recorder) -> None:
    before = len(task_postrun.receivers)
    say.apply(([],))
    assert len(task_postrun.receivers) == before
    say.apply(([[1, 2]],))
    assert len(task_postrun.receivers) == before + 1
