"""What is left when something is killed: nothing lost, nothing twice, and no orphan."""

from __future__ import annotations

import os
import re
import sys

from tests.process.harness.processes import PATIENCE, children, kill
from tests.process.harness.scene import APP, BOOTSTRAP, Scene
from tests.process.harness.waiting import wait_until

WHOLE = ["sent", "received", "started", "succeeded"]
#: Seconds within which a killed shipper has a successor.
SUCCESSION = 2.0
SUCCEEDED = re.compile(r"Task add\[([^]]+)\] succeeded")


def _publish(scene: Scene, count: int) -> list[str]:
    return scene.publish_many(
        f"print(json.dumps([tasks.add.delay(n, n).id for n in range({count})]))"
    )


def _assert_whole(scene: Scene, ids: list[str]) -> None:
    wait_until(lambda: not scene.records.unfinished(ids), PATIENCE, f"the end of {len(ids)} tasks")
    assert {tuple(scene.records.timeline(task_id)) for task_id in ids} == {tuple(WHOLE)}
    deliveries = scene.records.tasks.filter(task_id__in=ids).values_list("deliveries", flat=True)
    assert set(deliveries) == {1}


def test_a_killed_worker_leaves_a_shipper_that_stores_all_and_goes(scene: Scene) -> None:
    worker = scene.worker("-P", "prefork", "-c", "2")
    ids = _publish(scene, 40)
    wait_until(lambda: len(SUCCEEDED.findall(worker.output())) >= 10, PATIENCE, "ten tasks done")
    pool = [pid for pid in children(worker.pid) if pid not in scene.shippers()]
    worker.kill()
    wait_until(lambda: not scene.shippers(), PATIENCE, "the end of the shipper")
    for pid in pool:
        wait_until(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), PATIENCE, "the pool's end")
    after = scene.publish("add.delay(1, 2)")  # ships what the pool wrote after its parent's end
    assert scene.records.timeline(after) == ["sent"]
    done = SUCCEEDED.findall(worker.output())
    _assert_whole(scene, done)
    assert set(done) <= set(ids)
    assert not [task_id for task_id in ids if max(scene.records.counted(task_id).values()) > 1]
    assert scene.segments() == []


def test_a_killed_shipper_is_back_at_once_with_nothing_lost_or_doubled(scene: Scene) -> None:
    scene.worker("-P", "prefork", "-c", "2")
    ids = _publish(scene, 30)
    for _ in range(3):
        first = wait_until(scene.shippers, PATIENCE, "a shipper")
        ids += _publish(scene, 10)
        kill(first[0])
        wait_until(
            lambda first=first: set(scene.shippers()) - set(first), SUCCESSION, "another shipper"
        )
    _assert_whole(scene, ids)
    assert len(scene.shippers()) == 1


def test_two_workers_that_start_together_have_one_shipper(scene: Scene) -> None:
    command = [sys.executable, "-m", "celery", "-A", APP, "worker", "-l", "INFO", "-P", "solo"]
    workers = [
        scene.start(*command, "-n", scene.hostname(name), name=name) for name in ("w1", "w2")
    ]
    for worker in workers:
        worker.wait_for_output(BOOTSTRAP)
    online = scene.records.workers.filter(online=True)
    wait_until(lambda: online.count() == 2, PATIENCE, "both workers on record")
    wait_until(lambda: len(scene.shippers()) == 1, PATIENCE, "one shipper alone")
    _assert_whole(scene, _publish(scene, 10))
    assert len(scene.shippers()) == 1


def test_when_the_worker_with_the_shipper_stops_the_other_starts_one(scene: Scene) -> None:
    first = scene.worker("-P", "solo", name="w1")
    wait_until(lambda: set(scene.shippers()) & set(children(first.pid)), PATIENCE, "its shipper")
    second = scene.worker("-P", "solo", name="w2")
    first.stop()
    wait_until(
        lambda: set(scene.shippers()) & set(children(second.pid)), PATIENCE, "the other's shipper"
    )
    _assert_whole(scene, _publish(scene, 5))
    assert not scene.records.workers.get(hostname=scene.hostname("w1")).online
