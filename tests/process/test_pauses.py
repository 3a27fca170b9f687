"""A queue that is paused and resumed while tasks come, on workers of the project."""

from __future__ import annotations

import json
import sys
from typing import Any

from redis import Redis

from tests.process.conftest import SceneMaker
from tests.process.harness import servers
from tests.process.harness.processes import PATIENCE, Program
from tests.process.harness.scene import PRELUDE, Scene
from tests.process.harness.waiting import wait_until
from z4j_django.models import Operation, OperationTarget, PausedQueue

#: Publishes without a pause until it is stopped; then it tells how many it has.
LOAD = """
import signal, time
stopped = []
signal.signal(signal.SIGTERM, lambda *args: stopped.append(1))
ids = []
print("load", flush=True)
while not stopped:
    ids.append(tasks.add.delay(len(ids), 1).id)
    time.sleep(0.1)
print(json.dumps(ids), flush=True)
"""
#: A shipper that looks after what is paused every second, and not every five.
SHIPPER = """
from django.core.management import call_command
from z4j_django.watch import watching
watching.KEEP_EVERY = 1.0
call_command("z4j_ship")
"""


def operate(scene: Scene, code: str) -> Any:
    return json.loads(
        scene.script(
            f"""
from z4j_django import operations
queue = app.conf.task_default_queue
def told(operation):
    targets = operation.targets.order_by("position")
    return list(targets.values_list("target", "outcome", "reason"))
print(json.dumps({code}))
"""
        )
    )


def end(load: Program) -> list[str]:
    """Stop publishing; the ids of what was."""
    load.stop()
    return list(json.loads(load.output().splitlines()[-1]))


def received(scene: Scene, name: str) -> int:
    found: int = scene.records.tasks.filter(worker=scene.hostname(name)).count()
    return found


def test_under_load_nobody_takes_from_a_paused_queue_and_nothing_is_lost(
    make_scene: SceneMaker,
) -> None:
    with make_scene("redis") as scene, Redis.from_url(servers.redis_url()) as server:
        bare = scene.environment(SHIPPER="external")
        scene.start(sys.executable, "-c", PRELUDE + SHIPPER, name="shipper")
        scene.worker("-P", "prefork", "-c", "1", environment=bare)
        load = scene.start(sys.executable, "-c", PRELUDE + LOAD, name="load")
        wait_until(lambda: received(scene, "w1") > 5, PATIENCE, "a worker that works")

        [queue, worker] = operate(
            scene, "told(operations.pause_queue(queue, actor='alice', reason='a fix'))"
        )
        assert queue[1:] == ["done", "1 worker stopped taking from it."]
        assert worker[:2] == [scene.hostname(), "done"]
        second = scene.worker("-P", "solo", name="w2", environment=bare)
        assert "Paused, so nothing is taken from" in second.output()
        before = server.llen(f"{scene.queue}.{scene.queue}")
        taken = received(scene, "w1")
        wait_until(
            lambda: server.llen(f"{scene.queue}.{scene.queue}") > before + 10,
            PATIENCE,
            "what waits grows",
        )
        assert (received(scene, "w1"), received(scene, "w2")) == (taken, 0)

        ids = end(load)
        paused = PausedQueue.objects.using(scene.records.alias)
        paused.update(until="2026-01-01T00:00:00Z")  # as it is when its time is over
        done = scene.records.tasks.filter(state="SUCCESS")
        wait_until(lambda: done.count() == len(ids), 2 * PATIENCE, "all tasks succeeded")
        assert set(done.values_list("task_id", "deliveries")) == {(one, 1) for one in ids}
        assert received(scene, "w2") > 0
        wait_until(lambda: not paused.exists(), PATIENCE, "the end of the pause")
        resumed = Operation.objects.using(scene.records.alias).get(verb="resume_queue")
        assert (resumed.actor, resumed.state, resumed.done) == ("until", "finished", 3)
        targets = OperationTarget.objects.using(scene.records.alias).filter(operation=resumed)
        assert set(targets.filter(kind="worker").values_list("target", flat=True)) == {
            scene.hostname("w1"),
            scene.hostname("w2"),
        }
