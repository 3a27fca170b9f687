"""Processes that publish: scripts that end at once, servers that live on, beat."""

from __future__ import annotations

import sys
import time

import pytest

from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import APP, PRELUDE, Scene
from tests.process.harness.waiting import wait_until
from z4j_django.models import TaskRecord

#: Nobody listens on this port.
AWAY = "postgresql://nobody@127.0.0.1:1/nothing"
#: Seconds for a whole script, of which it may spend two on its records.
QUICK = 8.0


def test_what_a_script_published_is_on_record_when_it_has_ended(scene: Scene) -> None:
    task_id = scene.publish("add.apply_async((1, 2), {'note': 'a script'})")
    task = scene.records.task(task_id)
    assert (task.name, task.state, task.queue) == ("add", "PENDING", scene.queue)
    assert (task.args, task.kwargs) == ([1, 2], {"note": "a script"})
    assert scene.records.timeline(task_id) == ["sent"]
    scene.assert_nothing_is_left()


def test_where_a_shipper_runs_a_script_leaves_its_records_to_it(scene: Scene) -> None:
    scene.worker("-P", "solo", "-Q", "another-queue")
    wait_until(scene.shippers, PATIENCE, "a shipper")
    shipper = scene.shippers()
    task_id = scene.publish("add.delay(1, 2)")
    scene.wait_for_state(task_id, "PENDING")
    assert scene.records.timeline(task_id) == ["sent"]
    assert scene.shippers() == shipper


def test_a_script_whose_database_is_away_ends_soon_and_the_next_one_ships_for_it(
    scene: Scene,
) -> None:
    started = time.monotonic()
    first = scene.publish("add.delay(1, 2)", {**scene.environment(), "DATABASE_URL": AWAY})
    assert time.monotonic() - started < QUICK
    assert scene.records.state(first) is None
    second = scene.publish("add.delay(3, 4)")
    assert scene.records.timeline(first) == scene.records.timeline(second) == ["sent"]
    scene.assert_nothing_is_left()


def test_a_publisher_that_lives_on_ships_while_it_lives(scene: Scene) -> None:
    file = scene.folder / "end"
    code = f"{PRELUDE}tasks.add.apply_async((1, 2), task_id='from-a-server')\n"
    code += f"tasks.wait_for_file({str(file)!r})"
    server = scene.start(sys.executable, "-c", code, name="server")
    scene.wait_for_state("from-a-server", "PENDING")
    assert server.process.poll() is None
    file.touch()
    assert server.wait() == 0
    scene.assert_nothing_is_left()


def test_a_publisher_makes_way_for_the_shipper_of_a_worker(scene: Scene) -> None:
    file = scene.folder / "end"
    code = f"{PRELUDE}tasks.add.apply_async((1, 2), task_id='the first')\n"
    code += f"tasks.wait_for_file({str(file)!r})\ntasks.add.apply_async((1, 2), task_id='the last')"
    server = scene.start(sys.executable, "-c", code, name="server")
    scene.wait_for_state("the first", "PENDING")
    scene.worker("-P", "solo")
    wait_until(scene.records.workers.filter(online=True).exists, PATIENCE, "the worker on record")
    assert len(scene.shippers()) == 1
    file.touch()
    assert server.wait() == 0
    for task_id in ("the first", "the last"):
        scene.wait_for_state(task_id, "SUCCESS")
        assert scene.records.timeline(task_id) == ["sent", "received", "started", "succeeded"]


def _tasks_of_beat(scene: Scene, scheduler: str) -> list[TaskRecord]:
    """Run beat until two tasks of its schedule are on record, and stop it."""
    command = [sys.executable, "-m", "celery", "-A", APP, "beat", "-l", "INFO", "-S", scheduler]
    files = ["--pidfile", "", "-s", str(scene.folder / "schedule")]
    beat = scene.start(*command, *files, "--max-interval", "1", name="beat")
    sent = scene.records.tasks.filter(name="add")
    wait_until(lambda: sent.count() >= 2, PATIENCE, "two tasks of a schedule on record")
    beat.stop()
    scene.assert_nothing_is_left()
    assert {task.origin.partition("@")[0] for task in sent} == {f"gen{beat.pid}"}
    assert {tuple(scene.records.timeline(task.task_id)) for task in sent} == {("sent",)}
    assert {task.schedule for task in sent} == {"add every second"}
    heard = scene.records.workers.get(pool="beat")
    assert (heard.pid, heard.online, heard.queues) == (beat.pid, False, [])
    return list(sent)


def test_what_a_publisher_without_the_agent_hides_its_worker_hides_too(scene: Scene) -> None:
    scene.worker("-P", "solo")
    code = "from celery import signals\n" + "".join(
        f"signals.{name}_task_publish.receivers.clear()\n" for name in ("before", "after")
    )
    task_id = scene.script(
        f"{code}print(tasks.add.apply_async((1, 2), argsrepr='(***)').id)"
    ).strip()
    scene.wait_for_state(task_id, "SUCCESS")
    assert scene.records.task(task_id).args == ["•••••• (***)"]
    assert scene.records.timeline(task_id)[0] == "received"


def test_what_beat_published_is_on_record(scene: Scene) -> None:
    sent = _tasks_of_beat(scene, "celery.beat:PersistentScheduler")
    assert [task.args for task in sent] == [[20, 22]] * len(sent)


def test_what_the_database_schedules_is_on_record(scene: Scene) -> None:
    pytest.importorskip("django_celery_beat", reason="its newest asks for an older Django")
    sent = _tasks_of_beat(scene, "django_celery_beat.schedulers:DatabaseScheduler")
    assert [task.args for task in sent] == [[20, 22]] * len(sent)
