"""What workers say of themselves. Workers that are programs are in ``tests/process``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from celery import Celery, signals
from celery.contrib.testing.worker import TestWorkController
from celery.worker import WorkController, state

from tests.process.harness.waiting import wait_until
from tests.recording import Recorder, recording
from z4j_django.agent import events, worker_signals
from z4j_django.agent.worker_signals import WorkerSignals

#: In memory, other tests have queues besides.
QUEUE = "of-embedded-workers"


@pytest.fixture
def app() -> Celery:
    return Celery("workers", broker="memory://", fixups=[], set_as_current=False)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording(WorkerSignals) as found:
        yield found


@contextmanager
def running(app: Celery) -> Iterator[WorkController]:
    """A worker in a thread of this process, as ``start_worker`` has it, but for its logging."""
    quiet = {"without_heartbeat": True, "without_mingle": True, "without_gossip": True}
    worker = TestWorkController(app=app, hostname="w1@test", queues=QUEUE, pool="solo", **quiet)
    thread = threading.Thread(target=worker.start, daemon=True)
    thread.start()
    worker.ensure_started()
    try:
        yield worker
    finally:
        state.should_terminate = 0
        thread.join()
        state.should_terminate = None


@pytest.mark.parametrize("stops", ["terminated", "stopped"])
def test_an_embedded_worker_comes_online_and_goes(
    app: Celery, recorder: Recorder, stops: str
) -> None:
    with running(app) as worker:
        [online] = recorder.events
        assert isinstance(online, events.WorkerEvent)
        assert (online.kind, online.hostname) == (events.WORKER_ONLINE, "w1@test")
        assert (online.pool, online.concurrency, online.queues) == (
            "solo",
            worker.concurrency,
            [QUEUE],
        )
        if stops == "stopped":
            worker.stop()
    assert recorder.losses == []
    assert recorder.kinds == [events.WORKER_ONLINE, events.WORKER_OFFLINE]


def test_a_task_of_an_embedded_worker_names_it(app: Celery, recorder: Recorder) -> None:
    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    with recording() as tasks, running(app):
        add.apply_async((1, 2), queue=QUEUE)
        wait_until(lambda: events.TASK_SUCCEEDED in tasks.kinds, 10, "the task's end")
    workers = {event.kind: event.worker for event in tasks.events}  # type: ignore[union-attr]
    of_it = (events.TASK_RECEIVED, events.TASK_STARTED, events.TASK_SUCCEEDED)
    assert workers == {events.TASK_SENT: "", **dict.fromkeys(of_it, "w1@test")}


def test_a_worker_without_heartbeats_beats_all_the_same(
    app: Celery, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_signals, "HEARTBEAT_EVERY", 0.02)
    with running(app):
        wait_until(lambda: recorder.kinds.count(events.WORKER_HEARTBEAT) > 2, 10, "its beats")
    beats = [event for event in recorder.events if event.kind == events.WORKER_HEARTBEAT]
    assert {event.hostname for event in beats} == {"w1@test"}  # type: ignore[union-attr]
    assert recorder.kinds[-1] == events.WORKER_OFFLINE
    assert recorder.losses == []


class Heart:
    """What Celery's is to a receiver."""

    eventer = SimpleNamespace(hostname="w1@test")


def test_heartbeats_are_on_record_now_and_then(recorder: Recorder) -> None:
    heart = Heart()
    for _ in range(3):
        signals.heartbeat_sent.send(sender=heart)
    assert recorder.kinds == [events.WORKER_HEARTBEAT]
