"""What workers say of themselves. Workers that are programs are in ``tests/process``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

from tests.unit.test_task_signals import Recorder
from z4j_django.agent import events
from z4j_django.agent.worker_signals import WorkerSignals


@pytest.fixture
def app() -> Celery:
    return Celery("workers", broker="memory://", set_as_current=False)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    handlers = WorkerSignals(recorder)
    handlers.connect()
    yield recorder
    handlers.disconnect()


@pytest.mark.parametrize("stops", ["terminated", "stopped"])
def test_an_embedded_worker_comes_online_and_goes(
    app: Celery, recorder: Recorder, stops: str
) -> None:
    with start_worker(app, hostname="w1@test", queues="mail", perform_ping_check=False) as worker:
        [online] = recorder.events
        assert isinstance(online, events.WorkerEvent)
        assert (online.kind, online.hostname) == (events.WORKER_ONLINE, "w1@test")
        assert (online.pool, online.concurrency, online.queues) == ("solo", 1, ["mail"])
        if stops == "stopped":
            worker.stop()
    assert recorder.losses == []
    assert recorder.kinds == [events.WORKER_ONLINE, events.WORKER_OFFLINE]
