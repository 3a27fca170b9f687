"""Celery fails around a task that is done: its result backend is away, for instance."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from celery.app.trace import build_tracer

from tests.recording import Recorder, recording
from z4j_django import states
from z4j_django.agent import events
from z4j_django.store.folding import Fold

app = Celery("internal", broker="memory://", backend="cache+memory://", set_as_current=False)


@app.task
def add(first: int, second: int = 0) -> int:
    return first + second


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as found:
        yield found


def fail_to_store(monkeypatch: pytest.MonkeyPatch, **headers: Any) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(add.backend, "mark_as_done", refuse)
    delivery = {"exchange": "", "routing_key": "mail"}
    request = {"id": "a", "hostname": "w1@host", "delivery_info": delivery, **headers}
    with pytest.warns(RuntimeWarning, match="nobody answers"):
        build_tracer(add.name, add, app=app)("a", (1,), {}, request)


@pytest.mark.parametrize("ahead", [0.0, 60.0])
def test_a_result_that_could_not_be_stored_is_the_tasks_last_word(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    """Even where the clock of the process that took the message is ahead of the child's."""
    fail_to_store(monkeypatch, z4j={"received": time.time() + ahead})
    assert recorder.kinds == [events.TASK_STARTED, events.TASK_SUCCEEDED, events.TASK_FAILED]
    fold = Fold()
    fold.add(recorder.events, events.Header(events.SCHEMA, "shop", "host", 7))
    assert fold.tasks["shop", "a"].state == states.FAILURE


def test_an_internal_error_belongs_to_the_attempt_that_ran(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_store(monkeypatch, retries=2, replaced_task_nesting=1)
    failed = recorder.events[-1]
    assert isinstance(failed, events.TaskEvent)
    assert (failed.kind, failed.detail) == (events.TASK_FAILED, "internal error")
    assert (failed.retries, failed.nesting) == (2, 1)
    assert (failed.worker, failed.queue) == ("w1@host", "mail")
