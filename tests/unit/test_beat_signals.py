"""What is heard of a beat. Beats that are programs are in ``tests/process``."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from celery import Celery, beat

from tests import messages as waiting
from tests.process.harness.waiting import wait_until
from tests.recording import Recorder
from z4j_django.agent import beat_signals, events
from z4j_django.agent.beat_signals import BeatSignals
from z4j_django.agent.messages import HEADER
from z4j_django.agent.task_signals import TaskSignals

QUEUE = "of-beats"


@pytest.fixture
def app() -> Celery:
    made = Celery("beats", broker="memory://", fixups=[], set_as_current=False)
    made.conf.task_default_queue = QUEUE
    made.conf.beat_schedule = {"tick tock": {"task": "shop.tick", "schedule": 0.05}}
    return made


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    handlers = [BeatSignals(recorder), TaskSignals(recorder)]
    for one in handlers:
        one.connect()
    yield recorder
    for one in handlers:
        one.disconnect()
    handlers[0].stop()


class Ticking(beat.Scheduler):
    """Celery's, which keeps nothing."""

    def setup_schedule(self) -> None:
        self.merge_inplace(self.app.conf.beat_schedule)


@pytest.fixture
def running(app: Celery, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(beat_signals, "HEARTBEAT_EVERY", 0.02)
    service = beat.Service(app, max_interval=0.1, scheduler_cls=Ticking)
    thread = threading.Thread(target=service.start, daemon=True)
    thread.start()
    yield
    service.stop()
    thread.join()


def of_beat(recorder: Recorder, kind: str) -> list[events.WorkerEvent]:
    found = [one for one in recorder.events if isinstance(one, events.WorkerEvent)]
    return [one for one in found if one.kind == kind]


def sent(recorder: Recorder) -> list[events.TaskEvent]:
    return [one for one in recorder.events if isinstance(one, events.TaskEvent)]


@pytest.mark.usefixtures("running")
def test_a_beat_comes_online_and_is_heard_of(recorder: Recorder) -> None:
    beats = wait_until(lambda: of_beat(recorder, events.WORKER_HEARTBEAT), 10, "a heartbeat")
    [online] = of_beat(recorder, events.WORKER_ONLINE)
    assert (online.pool, list(online.queues)) == ("beat", [])
    assert online.hostname == beats[0].hostname
    assert online.hostname.startswith("beat@")


@pytest.mark.usefixtures("running")
def test_what_the_plain_scheduler_publishes_names_its_entry(
    recorder: Recorder, app: Celery
) -> None:
    wait_until(lambda: len(sent(recorder)) > 1, 10, "two tasks")
    told = [one.message for one in sent(recorder)]
    assert {one.schedule for one in told if one is not None} == {"tick tock"}
    # The worker that takes it learns of it too, and who else publishes here is no entry.
    for message in waiting.taken(QUEUE):
        assert message.headers[HEADER]["schedule"] == "tick tock"
    app.send_task("shop.other")
    [other] = [one.message for one in sent(recorder) if one.name == "shop.other"]
    assert other is not None
    assert other.schedule == ""


def test_an_end_is_told_once(recorder: Recorder) -> None:
    signals = BeatSignals(recorder)
    signals.stop()
    assert recorder.events == []
    signals._hostname = "beat@h"
    signals.stop()
    signals.stop()
    assert len(of_beat(recorder, events.WORKER_OFFLINE)) == 1


def test_a_beat_that_hangs_shows_no_life(
    recorder: Recorder, running: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_until(lambda: of_beat(recorder, events.WORKER_HEARTBEAT), 10, "a heartbeat")
    monkeypatch.setattr(beat_signals, "LOOK", -60.0)
    wait_until(lambda: len(sent(recorder)) > 5, 10, "more tasks")
    before = len(of_beat(recorder, events.WORKER_HEARTBEAT))
    wait_until(lambda: len(sent(recorder)) > 15, 10, "more tasks")
    assert len(of_beat(recorder, events.WORKER_HEARTBEAT)) - before <= 1
