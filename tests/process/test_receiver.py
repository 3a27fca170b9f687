"""Workers that do not have the app, recorded from the events that they send with ``-E``."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness import servers
from tests.process.harness.processes import PATIENCE, REPOSITORY, Program
from tests.process.harness.scene import APP, Scene, unique_queue
from tests.process.harness.waiting import wait_until
from z4j_django import states
from z4j_django.models import TaskRecord, WorkerRecord

#: A project that knows nothing of us, and nothing of Django.
PLAIN = """
import os, threading
from celery import Celery
from celery.exceptions import Reject

queue = os.environ["SCENE_QUEUE"]
app = Celery("plain", broker=os.environ["CELERY_BROKER_URL"])
if app.conf.broker_url.startswith("redis:"):
    app.conf.broker_transport_options = {"global_keyprefix": queue + "."}
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_default_queue=queue,
    control_exchange=queue,
    event_exchange=queue + ".events",
    task_send_sent_event=True,
)

@app.task(name="add")
def add(x, y, note=""):
    return x + y

@app.task(name="fail")
def fail(message):
    raise ValueError(message)

@app.task(name="flaky", bind=True)
def flaky(self):
    if self.request.retries == 0:
        raise self.retry(exc=ConnectionError("nobody answers"), countdown=0)

@app.task(name="reject", acks_late=True)
def reject():
    raise Reject("not for us", requeue=False)

@app.task(name="wait_long")
def wait_long():
    threading.Event().wait(60)
"""
#: Publishes one of each, and prints the ids.
WORKLOAD = """
import json
from plain import add, app, fail, flaky, reject, wait_long
app.control.revoke("to-be-revoked", reply=True, limit=1, timeout=10)
add.apply_async((1, 1), task_id="to-be-revoked")
print(json.dumps({
    "revoked": "to-be-revoked",
    "success": add.delay(2, 3, note="hello").id,
    "failure": fail.delay("it's the card").id,
    "retried": flaky.delay().id,
    "rejected": reject.delay().id,
    "terminated": wait_long.delay().id,
}))
"""
LISTENING = "Listening to the events of"


class Plain:
    """The plain project, beside a scene's own."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        (scene.folder / "plain.py").write_text(PLAIN)
        ours = scene.environment()
        path = os.pathsep.join([str(scene.folder), str(REPOSITORY)])
        kept = {name: ours[name] for name in ours if not name.startswith(("DJANGO", "SCENE_Z4J"))}
        self.environment = {**kept, "PYTHONPATH": path}

    @property
    def hostname(self) -> str:
        return f"plain@{self.scene.queue}"

    def worker(self, *options: str) -> Program:
        command = [sys.executable, "-m", "celery", "-A", "plain", "worker", "-l", "INFO"]
        command += ["-n", self.hostname, "-E", "-P", "prefork", "-c", "1", *options]
        program = self.scene.start(*command, name="plain", environment=self.environment)
        program.wait_for_output(" ready.")
        return program

    def run(self, code: str) -> str:
        ended = self.scene.run(sys.executable, "-c", code, environment=self.environment)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()


def listen(scene: Scene, *options: str) -> Program:
    """Start ``z4j_events``, and wait until it listens."""
    command = [sys.executable, "-m", "django", "z4j_events", *options]
    program = scene.start(*command, name="events")
    program.wait_for_output(LISTENING)
    return program


@dataclass(frozen=True)
class Life:
    """What was recorded of a plain worker from its start to its end."""

    scene: Scene
    ids: dict[str, str]
    worker: Program
    listener: Program
    hostname: str

    def task(self, name: str) -> TaskRecord:
        return self.scene.records.task(self.ids[name])

    def timeline(self, name: str) -> list[str]:
        return self.scene.records.timeline(self.ids[name])


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def life(make_scene: SceneMaker, request: pytest.FixtureRequest) -> Iterator[Life]:
    with make_scene(broker=request.param) as scene:
        plain, records = Plain(scene), scene.records
        listener = listen(scene)
        worker = plain.worker()
        ids = json.loads(plain.run(WORKLOAD))
        scene.wait_for_state(ids["terminated"], states.STARTED)
        terminate = f"revoke({ids['terminated']!r}, terminate=True)"
        plain.run(f"from plain import app; app.control.{terminate}")
        wait_until(lambda: not records.unfinished(ids.values()), PATIENCE, "all ends on record")
        worker.stop()
        online = records.workers.filter(hostname=plain.hostname, online=True)
        wait_until(lambda: not online.exists(), PATIENCE, "the worker offline")
        listener.stop()
        yield Life(scene, ids, worker, listener, plain.hostname)


def test_a_success_is_on_record_with_what_its_events_say(life: Life) -> None:
    task = life.task("success")
    assert (task.state, task.name, task.queue) == (states.SUCCESS, "add", life.scene.queue)
    assert (task.worker, task.retries, task.root_id) == (life.hostname, 0, task.task_id)
    assert life.timeline("success") == ["received", "started", "succeeded"]
    assert task.runtime is not None
    assert task.received_at <= task.started_at <= task.finished_at
    # Celery sends this event when the message has left: the worker may have it by then.
    assert abs(task.sent_at - task.received_at) < timedelta(seconds=1)


def test_what_its_events_do_not_say_is_left_empty(life: Life) -> None:
    task = life.task("success")
    assert (task.args, task.kwargs, task.result, task.pid) == (None, None, None, None)
    assert TaskRecord.objects.using(life.scene.records.alias).filter(
        task_id=task.task_id, result__isnull=True
    )


def test_a_failure_has_its_exception_and_its_traceback(life: Life) -> None:
    task = life.task("failure")
    assert (task.state, task.worker) == (states.FAILURE, life.hostname)
    assert (task.exception_type, task.exception_message) == ("ValueError", "it's the card")
    assert task.traceback.startswith("Traceback (most recent call last):")
    assert life.timeline("failure") == ["received", "started", "failed"]


def test_a_retry_is_another_attempt(life: Life) -> None:
    task = life.task("retried")
    assert (task.state, task.retries) == (states.SUCCESS, 1)
    events = life.scene.records.events.filter(task_id=task.task_id)
    assert {(event.kind, event.retries) for event in events} == {
        ("task_received", 0),
        ("task_started", 0),
        ("task_retry", 0),
        ("task_received", 1),
        ("task_started", 1),
        ("task_succeeded", 1),
    }
    assert events.get(kind="task_retry").detail == "ConnectionError: nobody answers"


def test_a_revoke_a_termination_and_a_rejection_say_what_they_are(life: Life) -> None:
    ends = {name: life.task(name).state for name in ("revoked", "terminated", "rejected")}
    assert ends == {
        "revoked": states.REVOKED,
        "terminated": states.REVOKED,
        "rejected": states.REJECTED,
    }
    assert life.task("revoked").exception_message == "revoked"
    assert life.task("terminated").exception_message.startswith("terminated by")
    assert life.timeline("rejected") == ["received", "started", "rejected"]


def test_the_worker_is_on_record_from_its_start_to_its_end(life: Life) -> None:
    record: WorkerRecord = life.scene.records.workers.get(hostname=life.hostname)
    assert (record.pid, record.online) == (life.worker.pid, False)
    assert record.version.startswith("celery 5.")
    assert record.started_at <= record.last_seen < record.stopped_at


def test_told_to_stop_the_command_ends_well_and_leaves_nothing(life: Life) -> None:
    summary = life.listener.output().splitlines()[-1]
    assert " events taken, 0 left to workers that record themselves, 0 odd, 0 lost" in summary
    life.scene.assert_nothing_is_left()


def test_side_by_side_with_the_app_nothing_is_doubled_and_nothing_outdone(
    make_scene: SceneMaker,
) -> None:
    with make_scene(broker="redis") as scene:
        plain, records = Plain(scene), scene.records
        listener = listen(scene, "--json")
        scene.worker("-P", "prefork", "-c", "1", "-E")
        plain.worker("-Q", f"{scene.queue}-plain")
        here, failed, there = scene.publish_many(
            "app.conf.task_send_sent_event = True\n"
            "ids = [tasks.add.delay(2, 3).id, tasks.fail.delay('no').id]\n"
            "app.AsyncResult(ids[0]).get(timeout=30)\n"
            "app.AsyncResult(ids[1]).get(timeout=30, propagate=False)\n"
            f"there = tasks.add.apply_async((4, 5), queue='{scene.queue}-plain')\n"
            "print(json.dumps([*ids, there.id]))"
        )
        scene.wait_for_state(there, states.SUCCESS)  # by when the others' events have come too
        scene.wait_for_state(failed, states.FAILURE)
        assert records.timeline(here) == ["sent", "received", "started", "succeeded"]
        assert records.timeline(failed) == ["sent", "received", "started", "failed"]
        assert records.timeline(there) == ["sent", "received", "started", "succeeded"]
        ended = records.task(here)
        assert (ended.deliveries, ended.result, ended.args) == (1, 5, [2, 3])
        assert ended.pid is not None
        watched = records.task(there)
        assert (watched.args, watched.queue) == ([4, 5], f"{scene.queue}-plain")
        assert (watched.worker, watched.result) == (plain.hostname, None)
        assert records.workers.get(hostname=scene.hostname()).pool == "prefork"
        listener.stop()
        summary = json.loads(listener.output().splitlines()[-1])
        assert summary["left_out"] >= 6
        assert (summary["odd"], summary["lost"]) == (0, 0)


def test_a_worker_that_never_speaks_of_itself_is_asked_who_it_is(scene: Scene) -> None:
    listener = listen(scene, "--json")
    command = [sys.executable, "-m", "celery", "-A", APP, "events", "--dump"]
    dump = scene.start(*command, name="dump")
    dump.wait_for_output("starting capture")
    silent = ("--without-heartbeat", "--without-gossip", "--without-mingle")
    scene.worker("-P", "solo", "-E", *silent)
    task_id = scene.publish("add.delay(2, 3)")
    scene.wait_for_state(task_id, states.SUCCESS)
    dump.wait_for_output("heartbeat")
    listener.stop()
    assert json.loads(listener.output().splitlines()[-1])["left_out"] == 4
    assert scene.records.timeline(task_id) == ["sent", "received", "started", "succeeded"]


def test_it_survives_a_restart_of_the_broker(tmp_path: Path, migrated: Path) -> None:
    if shutil.which("redis-server") is None:
        servers.cannot("redis-server is not installed here")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(servers.sqlite(tmp_path, migrated))
        scene = Scene(tmp_path, database, f"redis://127.0.0.1:{port}/0", unique_queue())
        stack.callback(scene.close)
        broker = start_redis(scene, port)
        plain = Plain(scene)
        listener = listen(scene)
        plain.worker()
        before = plain.run("from plain import add; print(add.delay(1, 2).id)")
        scene.wait_for_state(before, states.SUCCESS)
        broker.kill()
        listener.wait_for_output("The broker is away, we try again")
        start_redis(scene, port)
        wait_until(lambda: listener.output().count(LISTENING) == 2, PATIENCE, "it listens again")
        after = plain.run("from plain import add; print(add.delay(3, 4).id)")
        scene.wait_for_state(after, states.SUCCESS)
        assert scene.records.timeline(after) == ["received", "started", "succeeded"]
        listener.stop()


def start_redis(scene: Scene, port: str) -> Program:
    """Start a Redis of our own, in memory."""
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", ""]
    program = scene.start(*command, "--dir", str(scene.folder), name="redis")
    program.wait_for_output("Ready to accept connections")
    return program


def test_a_camera_takes_the_same_pictures(make_scene: SceneMaker) -> None:
    with make_scene(broker="redis") as scene:
        plain, records = Plain(scene), scene.records
        plain.worker()
        command = [sys.executable, "-m", "celery", "-A", APP, "events", "--frequency=0.5"]
        camera = scene.start(
            *command, "--camera=z4j_django.agent.event_receiver.Camera", name="camera"
        )
        workers = records.workers.filter(hostname=plain.hostname)
        wait_until(workers.exists, PATIENCE, "a picture of the worker")
        task_id = plain.run("from plain import fail; print(fail.delay('x').id)")
        scene.wait_for_state(task_id, states.FAILURE)
        again = plain.run("from plain import add; print(add.delay(1, 2).id)")
        scene.wait_for_state(again, states.SUCCESS)  # some shots later
        assert records.timeline(task_id) == ["received", "started", "failed"]
        assert records.timeline(again) == ["received", "started", "succeeded"]
        assert records.task(task_id).exception_message == "x"
        camera.process.send_signal(signal.SIGINT)
        assert camera.wait() == 0
        scene.assert_nothing_is_left()


def test_switched_off_the_command_says_so(scene: Scene) -> None:
    environment = {**scene.environment(), "Z4J_DISABLED": "1"}
    ended = scene.run(sys.executable, "-m", "django", "z4j_events", environment=environment)
    assert ended.returncode == 1
    assert "CommandError: z4j is switched off" in ended.stderr
