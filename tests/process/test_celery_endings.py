"""How a task of a worker may end: by itself, by its limits, or with its process.

``test_workload.py`` has the ends that every broker and pool has; these want a broker that takes
a message back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import celery
import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import APP, Scene
from tests.process.harness.waiting import wait_until
from z4j_django.models import TaskRecord

FIRST = ["sent", "received", "started"]
PUBLISH = f"""
from {APP} import endings
def path(name):
    return f"{{FOLDER}}/{{name}}"
sent = {{
    "exhausted": endings.exhaust.delay(),
    "requeued": endings.requeue_once.delay(path("requeued")),
    "soft": endings.overrun_softly.delay(),
    "careful": endings.overrun_with_care.delay(),
    "lost late": endings.die_late.delay(path("lost late")),
    "lost and retried": endings.die_retried.delay(path("lost and retried")),
    "lost and rejected": endings.die_rejected.delay(path("lost and rejected")),
}}
print(json.dumps({{name: result.id for name, result in sent.items()}}))
"""


@dataclass(frozen=True)
class Ended:
    """Tasks after their ends."""

    scene: Scene
    ids: dict[str, str]
    main_pid: int

    def task(self, name: str) -> TaskRecord:
        return self.scene.records.task(self.ids[name])

    def timeline(self, name: str) -> list[str]:
        return self.scene.records.timeline(self.ids[name])


@pytest.fixture(scope="module")
def ended(make_scene: SceneMaker) -> Iterator[Ended]:
    with make_scene("rabbitmq") as scene:
        worker = scene.worker("-P", "prefork", "-c", "3", "-I", f"{APP}.endings")
        ids = json.loads(scene.script(f"FOLDER = {str(scene.folder)!r}\n{PUBLISH}"))
        for signum in ("SIGTERM", "SIGKILL"):
            ids[signum] = scene.publish(f"wait_for_file.delay({str(scene.folder / 'never')!r})")
            scene.wait_for_state(ids[signum], "STARTED")
            scene.script(f"app.control.terminate({ids[signum]!r}, signal={signum!r})")
            scene.wait_for_state(ids[signum], "REVOKED")
        wait_until(lambda: not scene.records.unfinished(ids.values()), PATIENCE, "all ends")
        worker.stop()
        scene.assert_nothing_is_left()
        yield Ended(scene, ids, worker.pid)


def test_a_task_whose_retries_are_exhausted_fails_with_its_last_error(ended: Ended) -> None:
    task = ended.task("exhausted")
    assert (task.state, task.retries, task.deliveries) == ("FAILURE", 2, 3)
    assert (task.exception_type, task.exception_message) == ("ConnectionError", "nobody answers")
    attempts = {"sent": 3, "received": 3, "started": 3, "retry": 2, "failed": 1}
    assert ended.scene.records.counted(task.task_id) == attempts


def test_a_task_that_rejects_itself_back_to_the_queue_is_delivered_again(ended: Ended) -> None:
    task = ended.task("requeued")
    assert (task.state, task.retries, task.deliveries) == ("SUCCESS", 0, 2)
    assert (task.result, task.exception_type) == ("the second time", "")
    again = ["received", "started", "succeeded"]
    assert ended.timeline("requeued") == [*FIRST, "rejected", *again]
    rejected = ended.scene.records.events.get(task_id=task.task_id, kind="task_rejected")
    assert rejected.detail == "rejected, back to the queue"
    assert task.received_at > rejected.at


@pytest.mark.parametrize("signum", ["SIGTERM", "SIGKILL"])
def test_a_task_terminated_while_it_runs_is_revoked_once(ended: Ended, signum: str) -> None:
    task = ended.task(signum)
    assert (task.state, task.deliveries, task.exception_type) == ("REVOKED", 1, "")
    assert task.exception_message.startswith("terminated by ")
    assert ended.timeline(signum) == [*FIRST, "revoked"]
    assert task.worker == ended.scene.hostname()
    assert task.sent_at < task.received_at < task.started_at < task.finished_at


def test_a_task_that_overruns_its_soft_limit_fails_in_its_own_process(ended: Ended) -> None:
    task = ended.task("soft")
    assert (task.state, task.exception_type) == ("FAILURE", "SoftTimeLimitExceeded")
    assert ended.timeline("soft") == [*FIRST, "failed"]
    assert task.pid != ended.main_pid
    assert 1.0 <= task.runtime < 10.0
    assert "threading.Event().wait(60)" in task.traceback


def test_a_task_that_heeds_its_soft_limit_succeeds(ended: Ended) -> None:
    task = ended.task("careful")
    assert (task.state, task.result) == ("SUCCESS", "cleaned up")
    assert task.runtime >= 1.0


def test_a_late_acknowledged_task_whose_child_died_fails_and_keeps_its_start(ended: Ended) -> None:
    task = ended.task("lost late")
    assert (task.state, task.exception_type) == ("FAILURE", "WorkerLostError")
    assert "SIGKILL" in task.exception_message
    assert ended.timeline("lost late") == [*FIRST, "failed"]
    assert (task.worker, task.pid) == (ended.scene.hostname(), ended.main_pid)
    assert task.started_at < task.finished_at


def test_a_task_rejected_when_its_child_died_is_delivered_again_and_keeps_both_starts(
    ended: Ended,
) -> None:
    task = ended.task("lost and rejected")
    assert (task.state, task.retries, task.deliveries) == ("SUCCESS", 0, 2)
    assert (task.result, task.exception_type) == ("the second time", "")
    again = ["received", "started", "succeeded"]
    assert ended.timeline("lost and rejected") == [*FIRST, *again]
    starts = ended.scene.records.events.filter(task_id=task.task_id, kind="task_started")
    first, second = starts.order_by("at").values_list("pid", flat=True)
    assert first != second
    assert task.pid == second


@pytest.mark.skipif(celery.VERSION < (5, 7), reason="Celery has retry_on_worker_lost since 5.7")
def test_a_task_retried_when_its_child_died_says_so_and_runs_again(ended: Ended) -> None:
    task = ended.task("lost and retried")
    assert (task.state, task.retries, task.deliveries) == ("SUCCESS", 1, 2)
    assert task.result == "the second time"
    twice = {"sent": 2, "received": 2, "started": 2, "retry": 1, "succeeded": 1}
    assert ended.scene.records.counted(task.task_id) == twice
    retry = ended.scene.records.events.get(task_id=task.task_id, kind="task_retry")
    assert "SIGKILL" in retry.detail
