"""Tasks that are cancelled and terminated on real workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE, Program
from tests.process.harness.scene import Scene
from tests.process.harness.waiting import wait_until

ACT = """
from z4j_django import operations
verb, ids, options = json.loads({given!r})
operation = getattr(operations, verb)(ids, actor="a test", **options)
print(json.dumps(list(operation.targets.order_by("position").values("outcome", "reason"))))
"""


def act(scene: Scene, verb: str, task_id: str, **options: str) -> tuple[str, str]:
    """The outcome of one task, and its reason."""
    found = scene.script(ACT.format(given=json.dumps([verb, [task_id], options])))
    [target] = json.loads(found)
    return target["outcome"], target["reason"]


def start_waiting(scene: Scene, name: str) -> tuple[str, Path]:
    """A task that runs until its file is there."""
    path = scene.folder / name
    task_id = scene.publish(f"wait_for_file.delay({str(path)!r})")
    scene.wait_for_state(task_id, "STARTED")
    return task_id, path


@pytest.fixture(scope="module", params=("redis", "rabbitmq"))
def running(request: pytest.FixtureRequest, make_scene: SceneMaker) -> Iterator[Scene]:
    with make_scene(request.param) as scene:
        scene.worker("-P", "prefork", "-c", "1")
        yield scene


def test_on_the_file_system_all_of_it_works_while_a_process_is_free(scene: Scene) -> None:
    scene.worker("-P", "prefork", "-c", "2")
    host = scene.hostname()
    later = scene.publish("add.apply_async((1, 2), countdown=3600)")
    scene.wait_for_state(later, "RECEIVED")
    assert act(scene, "cancel", later) == (
        "done",
        f"It was RECEIVED on {host}; {host} confirmed to refuse it.",
    )
    task_id, _ = start_waiting(scene, "ends")
    assert act(scene, "cancel", task_id)[0] == "refused"
    assert act(scene, "terminate", task_id) == ("done", f"{host}, which ran it, sent SIGTERM.")
    scene.wait_for_state(task_id, "REVOKED")


def test_on_the_file_system_a_worker_without_a_free_process_hears_it_later(scene: Scene) -> None:
    scene.worker("-P", "prefork", "-c", "1")
    blocking, path = start_waiting(scene, "blocks")
    waiting = scene.publish("add.delay(1, 2)")
    scene.wait_for_state(waiting, "RECEIVED")
    outcome, reason = act(scene, "cancel", waiting)
    assert outcome == "unknown"
    assert reason.startswith("No worker answered within 5 s")
    path.touch()
    scene.wait_for_state(blocking, "SUCCESS")


def test_a_task_that_waits_is_cancelled_and_never_runs(running: Scene) -> None:
    blocking, path = start_waiting(running, "blocks")
    waiting = running.publish("add.delay(1, 2)")
    running.wait_for_state(waiting, "RECEIVED")
    outcome, reason = act(running, "cancel", waiting)
    worker = running.hostname()
    assert outcome == "done", reason
    assert reason == f"It was RECEIVED on {worker}; {worker} confirmed to refuse it."
    path.touch()
    running.wait_for_state(blocking, "SUCCESS")
    running.wait_for_state(waiting, "REVOKED")
    assert "started" not in running.records.timeline(waiting)


def test_cancel_does_not_stop_what_runs_and_says_so(running: Scene) -> None:
    task_id, path = start_waiting(running, "goes-on")
    assert act(running, "cancel", task_id) == (
        "refused",
        f"It is STARTED on {running.hostname()}; "
        "cancel does not stop a running task, terminate does.",
    )
    path.touch()
    running.wait_for_state(task_id, "SUCCESS")
    assert act(running, "cancel", task_id) == ("refused", "It is SUCCESS already.")
    assert act(running, "terminate", task_id) == ("refused", "It is SUCCESS already.")


@pytest.mark.parametrize("signal", ["SIGTERM", "KILL"])
def test_terminate_ends_what_runs(running: Scene, signal: str) -> None:
    task_id, _ = start_waiting(running, f"ends-{signal}")
    outcome, reason = act(running, "terminate", task_id, signal=signal)
    worker = running.hostname()
    whole = "SIGKILL" if signal == "KILL" else signal
    assert (outcome, reason) == ("done", f"{worker}, which ran it, sent {whole}.")
    running.wait_for_state(task_id, "REVOKED")
    after = running.publish("add.delay(1, 2)")
    running.wait_for_state(after, "SUCCESS")


def test_a_task_that_waits_can_be_terminated_too(running: Scene) -> None:
    blocking, path = start_waiting(running, "blocks-terminated")
    waiting = running.publish("add.delay(1, 2)")
    running.wait_for_state(waiting, "RECEIVED")
    outcome, reason = act(running, "terminate", waiting)
    assert outcome == "done", reason
    path.touch()
    running.wait_for_state(blocking, "SUCCESS")
    running.wait_for_state(waiting, "REVOKED")
    assert "started" not in running.records.timeline(waiting)


def test_without_a_worker_the_outcome_is_unknown(scene: Scene) -> None:
    task_id = scene.publish("add.delay(1, 2)")
    scene.wait_for_state(task_id, "PENDING")
    assert act(scene, "cancel", task_id) == (
        "unknown",
        "No worker answered within 5 s: whether any will refuse it is unknown. It was PENDING.",
    )


@pytest.fixture(params=("redis", "rabbitmq"))
def fresh(request: pytest.FixtureRequest, make_scene: SceneMaker) -> Iterator[Scene]:
    with make_scene(request.param) as scene:
        yield scene


def unrecorded_worker(scene: Scene) -> Program:
    """A worker that says nothing to the journal; its queue and its control are the scene's."""
    environment = scene.environment() | {"Z4J_DISABLED": "1"}
    return scene.worker(name="plain", ready=" ready.", environment=environment)


def test_what_runs_on_a_worker_that_is_not_on_record_is_not_said_to_be_cancelled(
    fresh: Scene,
) -> None:
    unrecorded_worker(fresh)
    path = fresh.folder / "on-the-plain-one"
    task_id = fresh.publish(f"wait_for_file.delay({str(path)!r})")
    active = "print(app.control.inspect(timeout=1).active())"
    wait_until(lambda: task_id in fresh.script(active), PATIENCE, "the plain worker runs it")
    fresh.worker()
    wait_until(
        lambda: fresh.records.workers.filter(online=True).exists(), PATIENCE, "one is on record"
    )
    assert fresh.records.workers.count() == 1
    fresh.wait_for_state(task_id, "PENDING")
    assert act(fresh, "cancel", task_id) == (
        "refused",
        f"It is STARTED on {fresh.hostname('plain')}; "
        "cancel does not stop a running task, terminate does.",
    )
    path.touch()


def test_a_busy_solo_worker_that_does_not_answer_leaves_it_unknown(fresh: Scene) -> None:
    fresh.worker("-P", "solo", name="busy")
    _, path = start_waiting(fresh, "keeps-it-busy")
    fresh.worker()
    online = fresh.records.workers.filter(online=True)
    wait_until(lambda: online.count() == 2, PATIENCE, "both are on record")
    free, busy = fresh.hostname(), fresh.hostname("busy")
    waiting = fresh.publish("add.apply_async((1, 2), queue='nobody-takes-from-' + app.main)")
    fresh.wait_for_state(waiting, "PENDING")
    assert act(fresh, "cancel", waiting) == (
        "unknown",
        f"It was PENDING; {free} confirmed to refuse it. "
        f"No clear answer from {busy}: it may run there, or have run.",
    )
    path.touch()


def test_a_pool_of_threads_ends_no_single_task(make_scene: SceneMaker) -> None:
    with make_scene("redis") as scene:
        worker = scene.worker("-P", "threads", "-c", "2")
        task_id, path = start_waiting(scene, "in-a-thread")
        outcome, reason = act(scene, "terminate", task_id)
        assert outcome == "refused"
        assert reason == (
            f"It is STARTED on {scene.hostname()}, whose pool (threads) can't end a single task."
        )
        # So says the worker itself, where nothing is on record of its pool.
        scene.records.workers.update(pool="")
        outcome, reason = act(scene, "terminate", task_id)
        assert (outcome, reason) == (
            "failed",
            f"The pool of {scene.hostname()} can't end a single task.",
        )
        path.touch()
        scene.wait_for_state(task_id, "SUCCESS")
        worker.stop()


def test_a_hundred_tasks_are_cancelled_together(make_scene: SceneMaker) -> None:
    with make_scene("redis") as scene:
        worker = scene.worker("-P", "prefork", "-c", "1", "--prefetch-multiplier", "1")
        blocking, path = start_waiting(scene, "blocks-many")
        ids = scene.publish_many(
            "print(json.dumps([tasks.add.delay(1, 2).id for _ in range(100)]))"
        )
        left = scene.records.tasks.filter(task_id__in=ids)
        wait_until(lambda: left.count() == 100, PATIENCE, "their sends")
        found = scene.script(ACT.format(given=json.dumps(["cancel", ids, {}])))
        assert {target["outcome"] for target in json.loads(found)} == {"done"}
        path.touch()
        wait_until(lambda: left.filter(state="REVOKED").count() == 100, PATIENCE, "all are revoked")
        scene.wait_for_state(blocking, "SUCCESS")
        worker.stop()
