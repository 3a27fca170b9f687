"""The loop that listens, and the camera; real brokers are in ``tests/process``."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.events.state import State
from celery.utils.imports import symbol_by_name
from celery.utils.time import utcoffset

from z4j_django.agent import bootstrap, event_receiver, events, journal
from z4j_django.agent.config import Config
from z4j_django.exceptions import Z4JError

NOW = 1_800_000_000.5


@pytest.fixture
def app() -> Celery:
    # Without Celery's fixup for Django, whose checks ask the database.
    app = Celery("received", broker="memory://", fixups=[], set_as_current=False)
    app.conf.event_exchange = f"exchange-{time.monotonic_ns()}"
    return app


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bootstrap.Agent:
    config = Config(
        find_directory=lambda: tmp_path / "journal",
        project="shop",
        sink="tests.sinks:MemorySink",
        describe_app=lambda: "shop.celery:app",
        framework="django",
        shipping="external",
    )
    agent = bootstrap.Agent(config)
    monkeypatch.setattr(bootstrap, "_installed", agent)
    return agent


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    stop = threading.Event()
    yield stop
    stop.set()


def journaled(agent: bootstrap.Agent) -> list[Any]:
    """What is in the agent's journal."""
    found: list[Any] = []
    for path in journal.segments(agent.config.find_directory()):
        file = journal.SegmentFile(path)
        found += events.decode(file.read(1 << 20)[0])[0]
        file.close()
    return found


def until(condition: Any) -> None:
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def task_event(kind: str, at: float = NOW, **fields: Any) -> dict[str, Any]:
    return {
        "type": f"task-{kind}",
        "uuid": "a",
        "hostname": "w@h",
        "timestamp": at,
        "local_received": at,
        "utcoffset": utcoffset(),
        "clock": 1,
        "pid": 7,
        **fields,
    }


def worker_event(kind: str, at: float = NOW, **fields: Any) -> dict[str, Any]:
    return {**task_event(kind, at, **fields), "type": f"worker-{kind}"}


def test_what_is_on_the_exchange_is_in_the_journal(
    app: Celery, agent: bootstrap.Agent, stop: threading.Event
) -> None:
    said: list[str] = []
    receiver = event_receiver.Receiver(app, agent, said.append)
    thread = threading.Thread(target=receiver.run, args=(stop,))
    thread.start()
    until(lambda: said)
    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(connection, hostname="w@h", buffer_group=["task"])
        dispatcher.send("worker-online", sw_ident="py-celery", sw_ver="5.7.0")
        dispatcher.send("task-received", uuid="a", name="shop.add", retries=0)
        dispatcher.send("task-started", uuid="a")
        dispatcher.flush()  # as one message: a list
        dispatcher.producer.publish("nonsense", exchange=app.conf.event_exchange, routing_key="x")
        until(lambda: receiver.counts.odd)
    stop.set()
    thread.join(10.0)
    kinds = [event.kind for event in journaled(agent)]
    assert kinds == [events.WORKER_ONLINE, events.TASK_RECEIVED, events.TASK_STARTED]
    assert len(said) == 1
    assert said[0].startswith("Listening to the events of memory://")


def test_while_the_broker_is_away_it_tries_again_and_says_so_once(
    agent: bootstrap.Agent, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_receiver, "BACKOFF", (0.01, 0.02))
    away = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    said: list[str] = []
    receiver = event_receiver.Receiver(away, agent, said.append)
    thread = threading.Thread(target=receiver.run, args=(stop,))
    thread.start()
    until(lambda: receiver._failures >= 3)
    stop.set()
    thread.join(10.0)
    assert not thread.is_alive()
    assert len(said) == 1
    assert said[0].startswith("The broker is away, we try again: OperationalError")


def test_an_event_that_the_journal_does_not_take_is_lost_and_counted(
    app: Celery, agent: bootstrap.Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(line: bytes) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(agent.journal, "write", full)
    receiver = event_receiver.Receiver(app, agent)
    receiver.translator.take(task_event("sent", name="shop.add"))
    assert (agent.losses, receiver.counts.odd) == (1, 0)


def camera(app: Celery) -> event_receiver.Camera:
    return event_receiver.Camera(State(), app=app, freq=3600.0)


def test_each_shot_writes_what_happened_since_the_last(app: Celery, agent: bootstrap.Agent) -> None:
    cam = camera(app)
    cam.state.event(worker_event("online"))
    cam.state.event(task_event("received", NOW + 1, name="shop.add", retries=0))
    assert journaled(agent) == []
    cam.capture()
    cam.capture()
    assert [event.kind for event in journaled(agent)] == ["worker_online", "task_received"]
    cam.state.event(task_event("succeeded", NOW + 2, result="3", runtime=0.5))
    cam.capture()
    ended = journaled(agent)[2:]
    assert [(event.kind, event.at, event.runtime) for event in ended] == [
        (events.TASK_SUCCEEDED, NOW + 2, 0.5)
    ]


def test_a_camera_begins_with_the_events_after_it(app: Celery, agent: bootstrap.Agent) -> None:
    state = State()
    state.event(worker_event("online"))
    cam = event_receiver.Camera(state, app=app)
    state.event(worker_event("heartbeat", NOW + 1))
    cam.capture()
    assert [event.kind for event in journaled(agent)] == [events.WORKER_HEARTBEAT]


def test_a_camera_takes_a_last_shot(app: Celery, agent: bootstrap.Agent) -> None:
    cam = camera(app)
    cam.state.event(task_event("started"))  # its worker has not said who it is
    cam.capture()
    assert journaled(agent) == []
    cam.cancel()
    assert [event.kind for event in journaled(agent)] == [events.TASK_STARTED]


def test_a_camera_between_two_shots_keeps_no_more_than_so_many(
    app: Celery, agent: bootstrap.Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_receiver, "SHOT", 3)
    cam = camera(app)
    for number in range(4):
        cam.state.event(task_event("sent", uuid=str(number), name="shop.add"))
    assert [event.task_id for event in journaled(agent)] == ["0", "1", "2"]


def test_a_camera_leaves_the_time_to_the_sender(app: Celery, agent: bootstrap.Agent) -> None:
    cam = camera(app)
    source = app.events.Receiver(app.connection_for_read())
    raw = task_event("sent", name="shop.add", utcoffset=utcoffset() - 5)
    cam.state.event(source.event_from_message(raw)[1])
    assert raw["timestamp"] == NOW + 5 * 3600
    cam.capture()
    assert [event.at for event in journaled(agent)] == [NOW]


def test_a_camera_in_a_process_without_an_agent_says_what_is_missing(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "_installed", None)
    with pytest.raises(Z4JError, match="Is z4j_django in INSTALLED_APPS"):
        camera(app)


def test_the_camera_is_found_by_its_earlier_name() -> None:
    found = symbol_by_name("z4j_django.agent.receiver.Camera")
    assert found is event_receiver.Camera
