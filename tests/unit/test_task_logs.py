"""The lines of a task's log, in the process that runs it, and merged."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery

from tests.recording import Recorder
from z4j_django import logs
from z4j_django.agent import events, sampling, task_logs, throttle
from z4j_django.agent.task_signals import TaskSignals
from z4j_django.secrets import masking
from z4j_django.store.log_rows import Logs

app = Celery("logs", broker="memory://", backend="cache+memory://", set_as_current=False)
logger = logging.getLogger("shop.orders")


@app.task(name="shop.run")
def run(code: str) -> None:
    exec(code, {"logger": logger, "logging": logging, "ours": logs.logger("z4j_django.x")})


class Hostile:
    """Logs while it is made a text, and raises."""

    def __str__(self) -> str:
        logger.warning("again %s", self)
        raise RuntimeError("no text")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    found = Recorder()
    tasks = TaskSignals(found, sampling.Sampling({"noise": 0.0}))
    taken = task_logs.TaskLogs(found, tasks.running, logging.WARNING)
    for handlers in (tasks, taken):
        handlers.connect()
    yield found
    for handlers in (tasks, taken):
        handlers.disconnect()
    assert taken._handler not in logging.root.handlers
    assert taken._logs == {}


def told(recorder: Recorder) -> list[events.LogEvent]:
    return [one for one in recorder.events if isinstance(one, events.LogEvent)]


def texts(recorder: Recorder) -> list[str]:
    return [line.text for line in told(recorder)[-1].lines]


def test_the_lines_of_a_task_are_those_of_its_thread(recorder: Recorder) -> None:
    logger.warning("before")
    run.apply(("logger.info('quiet'); logger.warning('of %s', 7); logger.error('and')",))
    logger.warning("after")
    assert texts(recorder) == ["of 7", "and"]
    [first, last] = told(recorder)  # the first at once, all at the end
    assert [line.text for line in first.lines] == ["of 7"]
    assert first.at < last.at
    assert [(line.level, line.logger) for line in last.lines] == [
        ("WARNING", "shop.orders"),
        ("ERROR", "shop.orders"),
    ]


def test_what_is_known_is_not_told_again_at_the_end(recorder: Recorder) -> None:
    run.apply(("logger.warning('once')",))
    assert len(told(recorder)) == 1


def test_only_the_newest_lines_are_kept(recorder: Recorder) -> None:
    run.apply(("for n in range(500): logger.warning('line %s', n)",))
    last = told(recorder)[-1]
    assert (len(last.lines), last.dropped) == (task_logs.LINES, 300)
    assert texts(recorder)[0] == "line 300"


def test_and_not_more_than_their_bytes(recorder: Recorder) -> None:
    run.apply(("for n in range(100): logger.warning('é' * 10_000_000 if n == 7 else 'x' * 3000)",))
    size = sum(len(text.encode()) for text in texts(recorder))
    assert 60_000 < size <= task_logs.BYTES
    assert max(map(len, texts(recorder))) < task_logs.LINE + 100


def test_an_exception_is_told_with_its_traceback(recorder: Recorder) -> None:
    code = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    logger.exception('no')"
    run.apply((code,))
    [text] = texts(recorder)
    assert text.startswith("no\nTraceback (most recent call last):")
    assert text.endswith("ZeroDivisionError: division by zero")


def test_ours_and_celerys_end_are_left_out(recorder: Recorder) -> None:
    code = "ours.error('x'); logging.getLogger('celery.app.trace').error('y')"
    run.apply((code,))
    assert told(recorder) == []


def test_hostile_arguments_end_neither_the_task_nor_the_log(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    assert run.apply(("logger.warning('%d', 'x')",)).successful()
    assert texts(recorder) == ["%d (TypeError in its arguments)"]

    @app.task(name="shop.hostile")
    def hostile() -> None:
        logger.warning("of %s", Hostile())

    monkeypatch.setattr(logging.root, "handlers", [logging.NullHandler()])
    assert hostile.apply().successful()
    assert texts(recorder) == ["of %s (RuntimeError in its arguments)"]


def test_a_record_that_comes_twice_is_one_line(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = logging.getLogger("shop.alone")
    monkeypatch.setattr(alone, "propagate", False)
    run.apply(("logging.getLogger('shop.alone').warning('mine')",))
    assert texts(recorder) == ["mine"]
    monkeypatch.setattr(alone, "propagate", True)
    run.apply(("logging.getLogger('shop.alone').warning('mine')",))
    assert texts(recorder) == ["mine"]


def test_a_soft_time_limit_is_the_tasks_own(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(record: object) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(task_logs, "_line", late)
    ended = run.apply(("logger.warning('x')",))
    assert isinstance(ended.result, SoftTimeLimitExceeded)
    assert told(recorder) == []


def test_of_noise_only_what_fails_is_told(recorder: Recorder) -> None:
    @app.task(name="noise")
    def noise(number: int) -> float:
        logger.warning("by %s", number)
        return 1 / number

    noise.apply((1,))
    assert told(recorder) == []
    noise.apply((0,))
    assert texts(recorder) == ["by 0"]


def test_a_long_task_is_told_of_now_and_then(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(throttle.time, "monotonic", lambda: now[0])

    @app.task(name="shop.long")
    def long() -> None:
        for number in range(40):
            now[0] += 1.0
            logger.warning("%s", number)

    long.apply()
    assert [len(one.lines) for one in told(recorder)] == [1, 11, 21, 31, 40]


def event(at: float, retries: int, *lines: str, **fields: Any) -> events.LogEvent:
    made = [events.LogLine(at, "WARNING", "shop", text) for text in lines]
    return events.LogEvent("t", at, retries, lines=made, **fields)


def test_the_newest_word_of_each_attempt_stands_in_whatever_order() -> None:
    found = [event(1, 0, "a"), event(2, 0, "a", "b"), event(3, 1, "c"), event(2.5, 1)]
    for order in itertools.permutations(found):
        collected = Logs()
        for one in order:
            collected.add(one, "shop")
        rows = collected.rows(masking.NO_RULES)
        shown = [
            (row.attempt, [line[3] for line in msgspec.json.decode(row.lines)]) for row in rows
        ]
        assert shown == [(0, ["a", "b"]), (1, ["c"])]


def test_lines_are_masked_and_bounded_wherever_they_come_from() -> None:
    collected = Logs()
    lines = [*(f"line {n} " + "é" * 2000 for n in range(300)), "password=hunter2\0"]
    collected.add(event(1, 0, *lines, dropped=2**40), "shop")
    [row] = collected.rows(masking.NO_RULES)
    shown = [line[3] for line in msgspec.json.decode(row.lines)]
    assert sum(len(text.encode()) for text in shown) <= 64 * 1024
    assert shown[-1].startswith(f"password={masking.MASK}")
    assert "\0" not in shown[-1]
    assert row.dropped == 2**31 - 1
