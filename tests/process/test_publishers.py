"""Processes that publish: scripts that end at once, servers that live on, beat."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable

import pytest

from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import APP, PRELUDE, Scene
from tests.process.harness.waiting import wait_until
from z4j_django.models import Operation, TaskRecord

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


def _nothing(scene: Scene) -> None:
    """What is done while beat runs."""


def _tasks_of_beat(
    scene: Scene, scheduler: str, meanwhile: Callable[[Scene], None] = _nothing
) -> list[TaskRecord]:
    """Run beat until two tasks of its schedule are on record, and stop it."""
    command = [sys.executable, "-m", "celery", "-A", APP, "beat", "-l", "INFO", "-S", scheduler]
    files = ["--pidfile", "", "-s", str(scene.folder / "schedule")]
    beat = scene.start(*command, *files, "--max-interval", "1", name="beat")
    sent = scene.records.tasks.filter(name="add")
    wait_until(lambda: sent.count() >= 2, PATIENCE, "two tasks of a schedule on record")
    meanwhile(scene)
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
    sent = _tasks_of_beat(
        scene, "django_celery_beat.schedulers:DatabaseScheduler", _one_run_is_left_out
    )
    assert [task.args for task in sent] == [[20, 22]] * len(sent)
    times = sorted(task.sent_at.timestamp() for task in sent if task.sent_at is not None)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert sum(gap > 1.7 for gap in gaps) == 1


def _one_run_is_left_out(scene: Scene) -> None:
    """Of a schedule that comes so often that nobody could ask for it in time."""
    key = scene.script(
        "import time\n"
        "from z4j_django.operations import auditing\n"
        "window = {'schedule': 'add every second', 'begin': time.time(), 'end': time.time() + 99}\n"
        "how = {'actor': 'the test', 'surface': 'python', 'kind': 'schedule'}\n"
        "made = auditing.begin('skip_next_run', ['add every second'], parameters=window,"
        " waiting=True, **how)\n"
        "print(made.pk)\n"
    )
    operations = Operation.objects.using(scene.records.alias).filter(pk=int(key))
    wait_until(operations.filter(done=1).exists, PATIENCE, "a run that was left out")
    before = scene.records.tasks.filter(name="add").count()
    wait_until(
        lambda: scene.records.tasks.filter(name="add").count() > before + 1, PATIENCE, "more"
    )
