"""What a worker says of itself, from its start to its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE, Program
from tests.process.harness.scene import BOOTSTRAP, Scene
from tests.process.harness.waiting import wait_until
from z4j_django.models import WorkerRecord

#: Seconds between two heartbeats on record, and some.
HEARTBEAT = 15.0


@dataclass(frozen=True)
class Life:
    """A worker that has ended, and its record at three moments."""

    scene: Scene
    worker: Program
    started: WorkerRecord
    beating: WorkerRecord
    stopped: WorkerRecord


@pytest.fixture(scope="module")
def life(make_scene: SceneMaker) -> Iterator[Life]:
    with make_scene() as scene:
        record = scene.records.workers.filter(hostname=scene.hostname())
        quiet = ("--without-heartbeat", "--without-gossip", "--without-mingle")
        worker = scene.worker("-P", "prefork", "-c", "2", "-Q", f"{scene.queue},mail", *quiet)
        started = wait_until(record.filter(online=True).first, PATIENCE, "the worker online")
        later = record.filter(last_seen__gt=started.last_seen + timedelta(seconds=5))
        beating = wait_until(later.first, HEARTBEAT, "a heartbeat on record")
        worker.stop()
        yield Life(scene, worker, started, beating, record.get())


def test_a_worker_says_once_that_it_records(life: Life) -> None:
    said = [line for line in life.worker.output().splitlines() if "z4j worker bootstrap" in line]
    assert said == [f"[INFO/MainProcess] z4j.celery.worker_bootstrap: {BOOTSTRAP}"]


def test_a_worker_comes_online_with_its_pool_and_its_queues(life: Life) -> None:
    record = life.started
    assert (record.pid, record.pool, record.concurrency) == (life.worker.pid, "prefork", 2)
    assert record.queues == ["mail", life.scene.queue]
    assert record.stopped_at is None


def test_a_worker_that_celery_keeps_quiet_shows_that_it_is_alive(life: Life) -> None:
    assert life.beating.online
    assert life.beating.started_at == life.started.started_at


def test_a_stopped_worker_is_offline_and_leaves_nothing_to_ship(life: Life) -> None:
    assert not life.stopped.online
    assert life.stopped.stopped_at is not None
    assert life.stopped.stopped_at > life.beating.last_seen
    life.scene.assert_nothing_is_left()


WAIT_FOR = """
import threading
from celery.contrib.testing.worker import start_worker
from z4j_django.models import TaskRecord, WorkerRecord
pause = threading.Event()
def wait_for(state, task_id):
    while not TaskRecord.objects.filter(task_id=task_id, state=state).exists():
        pause.wait(0.05)
"""
EMBEDDED = f"""{WAIT_FOR}
with start_worker(app, hostname="w1@embedded", perform_ping_check=False):
    wait_for("SUCCESS", tasks.add.delay(1, 2).id)
    assert WorkerRecord.objects.get().online
wait_for("PENDING", tasks.add.delay(3, 4).id)
"""


def test_an_embedded_worker_ships_and_so_does_its_process_afterwards(scene: Scene) -> None:
    scene.script(EMBEDDED)
    worker = scene.records.workers.get()
    assert (worker.hostname, worker.pool, worker.online) == ("w1@embedded", "solo", False)
    scene.assert_nothing_is_left()


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork"])
def test_what_an_embedded_worker_runs_bears_its_name(make_scene: SceneMaker, pool: str) -> None:
    options = f"pool={pool!r}, hostname='w1@embedded', perform_ping_check=False"
    code = f"""{WAIT_FOR}
with start_worker(app, {options}):
    wait_for("SUCCESS", tasks.add.delay(1, 2).id)
"""
    with make_scene("redis") as scene:
        scene.script(code)
        ran = scene.records.events.exclude(kind="task_sent").values_list("worker", flat=True)
        assert list(ran) == ["w1@embedded"] * 3
        assert scene.records.tasks.get().worker == "w1@embedded"


def test_the_console_script_records_as_the_module_does(scene: Scene) -> None:
    script = Path(sys.executable).with_name("celery")
    scene.worker(celery=(str(script),))
    task_id = scene.publish("add.delay(1, 2)")
    scene.wait_for_state(task_id, "SUCCESS")


def test_a_worker_without_tables_works_and_its_records_come_once_they_exist(
    make_scene: SceneMaker,
) -> None:
    with make_scene(database="unmigrated") as scene:
        environment = {**scene.environment(), "SCENE_RESULTS": "disabled://"}
        worker = scene.worker(environment=environment)
        task_id = scene.publish("add.delay(1, 2)", environment)
        worker.wait_for_output(f"Task add[{task_id}] succeeded")
        worker.wait_for_output(
            "[WARNING/MainProcess] z4j_django.shipper: The journal can't be stored"
        )
        scene.migrate()
        scene.wait_for_state(task_id, "SUCCESS")
        assert scene.records.timeline(task_id) == ["sent", "received", "started", "succeeded"]


def test_each_child_of_a_worker_that_replaces_them_has_its_task_on_record(scene: Scene) -> None:
    scene.worker("-P", "prefork", "-c", "2", "--max-tasks-per-child", "1")
    code = "print(json.dumps([tasks.add.delay(n, n).id for n in range(6)]))"
    ids = scene.publish_many(code)
    wait_until(lambda: not scene.records.unfinished(ids), PATIENCE, "six tasks")
    ran = scene.records.tasks.filter(task_id__in=ids, state="SUCCESS")
    assert len(set(ran.values_list("pid", flat=True))) == 6
    for task_id in ids:
        assert scene.records.timeline(task_id) == ["sent", "received", "started", "succeeded"]


def test_a_worker_told_to_stop_records_the_tasks_it_still_finishes(scene: Scene) -> None:
    worker = scene.worker("-P", "prefork", "-c", "2")
    file = scene.folder / "go"
    code = f"print(json.dumps([tasks.wait_for_file.delay({str(file)!r}).id for n in range(2)]))"
    ids = scene.publish_many(code)
    for task_id in ids:
        scene.wait_for_state(task_id, "STARTED")
    worker.terminate()
    worker.wait_for_output("Warm shutdown")
    file.touch()
    assert worker.wait() == 0
    assert [scene.records.state(task_id) for task_id in ids] == ["SUCCESS", "SUCCESS"]
    scene.assert_nothing_is_left()
