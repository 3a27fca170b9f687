"""Tasks that are noise."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from celery import Celery, Task, signals

from tests.recording import Recorder, recording
from z4j_django.agent import events
from z4j_django.agent.sampling import ALL, FAILURES, NOTHING, Sampling
from z4j_django.agent.task_signals import TaskSignals

app = Celery("sampling", broker="memory://", backend="cache+memory://", set_as_current=False)


@app.task(name="shop.tick", shared=False)
def tick() -> int:
    return 1


@app.task(name="shop.tock", shared=False)
def tock() -> int:
    raise ValueError("the clock has stopped")


@app.task(name="shop.quiet", shared=False, z4j=False)
def quiet() -> None:
    raise ValueError("nobody hears it")


@app.task(name="shop.rare", shared=False, z4j={"sample": 0.0})
def rare() -> int:
    return 1


@app.task(name="shop.wind", shared=False, bind=True, max_retries=1)
def wind(self: Task) -> str:
    if self.request.retries:
        return "wound"
    raise self.retry(countdown=0)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    sampling = Sampling({"shop.t*": 0.0, "shop.wind": 0.0})
    with recording(partial(TaskSignals, sampling=sampling)) as found:
        app.set_current()
        yield found


def test_a_share_is_kept_and_every_process_agrees_which() -> None:
    first, second = Sampling({"shop.*": 0.25}), Sampling({"shop.*": 0.25})
    kept = [first.keep("shop.tick", str(number)) for number in range(10_000)]
    assert kept == [second.keep("shop.tick", str(number)) for number in range(10_000)]
    assert 2_300 < kept.count(ALL) < 2_700
    assert set(kept) == {ALL, FAILURES}


def test_the_first_pattern_that_fits_decides() -> None:
    sampling = Sampling({"shop.tick": None, "shop.*": 0.0, "*": 1.0})
    names = ("shop.tick", "shop.other", "mail.send")
    assert [sampling.keep(name, "a") for name in names] == [NOTHING, FAILURES, ALL]


def test_a_tasks_own_option_decides_where_no_pattern_does() -> None:
    app.set_current()
    app.finalize()
    sampling = Sampling({"shop.rare": 1.0})
    assert sampling.keep("shop.quiet", "a") == NOTHING
    assert sampling.keep("shop.rare", "a") == ALL
    assert Sampling({}).keep("shop.rare", "a") == FAILURES
    assert Sampling({}).keep("shop.tick", "a") == ALL


def test_what_is_kept_whole_is_known_by_name() -> None:
    sampling = Sampling({"shop.*": 1.0, "mail.*": 0.5})
    for name in ("shop.tick", "mail.send", "shop.tick"):
        sampling.keep(name, "a")
    assert sampling.whole == {"shop.tick"}


def test_noise_that_ends_well_is_counted_and_no_more(recorder: Recorder) -> None:
    before = time.time()
    tick.apply()
    [counted] = recorder.events
    assert isinstance(counted, events.SampledEvent)
    assert counted.name == "shop.tick"
    assert before <= counted.at <= time.time()
    assert len(events.encode(counted)) < 80
    assert recorder.losses == []


def test_noise_that_is_published_leaves_nothing(recorder: Recorder) -> None:
    tick.apply_async()
    assert recorder.events == []


def test_noise_that_fails_is_kept_with_its_start(recorder: Recorder) -> None:
    tock.apply()
    started, failed = recorder.events
    assert isinstance(started, events.TaskEvent)
    assert (started.kind, failed.kind) == (events.TASK_STARTED, events.TASK_FAILED)
    assert started.at <= failed.at
    assert started.message is not None
    assert bytes(started.message.args) == b"[]"


def test_a_retry_of_noise_is_kept_to_its_end(recorder: Recorder) -> None:
    wind.apply()
    assert recorder.kinds == [
        events.TASK_STARTED,
        events.TASK_RETRY,
        events.TASK_STARTED,
        events.TASK_SUCCEEDED,
    ]


def test_an_excluded_task_leaves_nothing_even_when_it_fails(recorder: Recorder) -> None:
    quiet.apply()
    quiet.apply_async()
    assert recorder.events == []


def test_the_publishers_decision_travels_with_the_message(recorder: Recorder) -> None:
    seen: list[dict[str, Any]] = []

    def look(headers: dict[str, Any], **kwargs: Any) -> None:
        seen.append(headers["z4j"])

    signals.after_task_publish.connect(look)
    tick.apply_async()
    signals.after_task_publish.disconnect(look)
    assert seen[0]["keep"] == FAILURES
