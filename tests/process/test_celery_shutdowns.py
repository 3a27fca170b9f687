"""A worker that stops or dies in mid-task, and the one that takes over.

A warm shutdown is in ``test_worker.py``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import kombu
import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE, Program
from tests.process.harness.scene import APP, Scene
from tests.process.harness.waiting import wait_until

OPTIONS = ("-P", "prefork", "-c", "2", "-I", f"{APP}.endings")
FIRST = ["sent", "received", "started"]
AGAIN = ["received", "started", "succeeded"]
#: What tells a worker to stop without waiting for its tasks.
COLD = {
    "a quit signal": [signal.SIGQUIT],
    "a stop and a quit signal": [signal.SIGTERM, signal.SIGQUIT],
    "Ctrl-C twice": [signal.SIGINT, signal.SIGINT],
}


def _publish_both(scene: Scene) -> tuple[str, str]:
    """One task whose message is acknowledged when it starts, and one that is when it ends."""
    early = scene.publish(f"wait_for_file.delay({str(scene.folder / 'go')!r})")
    late = scene.script(
        f"from {APP} import endings\n"
        f"print(endings.wait_late.delay({str(scene.folder / 'go late')!r}).id)"
    ).strip()
    for task_id in (early, late):
        scene.wait_for_state(task_id, "STARTED")
    return early, late


def _signal(worker: Program, signums: list[signal.Signals]) -> None:
    """Send one after the other, each once the worker has heard of the one before."""
    for number, signum in enumerate(signums):
        os.kill(worker.pid, signum)
        if number + 1 < len(signums):
            worker.wait_for_output("worker: Warm shutdown (MainProcess)")


def _assert_redelivered(scene: Scene, late: str) -> None:
    """Another worker runs what the first one had not acknowledged."""
    (scene.folder / "go late").touch()
    scene.worker(*OPTIONS, name="w2")
    scene.wait_for_state(late, "SUCCESS")
    task = scene.records.task(late)
    assert (task.retries, task.deliveries) == (0, 2)
    assert (task.worker, task.result) == (scene.hostname("w2"), "it is here")
    assert scene.records.timeline(late) == [*FIRST, *AGAIN]
    workers = scene.records.events.filter(task_id=late, kind="task_started").order_by("at")
    assert list(workers.values_list("worker", flat=True)) == list(map(scene.hostname, ("w1", "w2")))


def _waiting(scene: Scene) -> int:
    """The messages in the scene's queue."""
    with kombu.Connection(scene.broker) as connection:
        declared = connection.default_channel.queue_declare(scene.queue, passive=True)
    return int(declared.message_count)


@pytest.mark.parametrize("how", COLD)
def test_a_cold_shutdown_cancels_one_task_and_gives_the_other_back(
    make_scene: SceneMaker, how: str
) -> None:
    with make_scene("rabbitmq") as scene:
        worker = scene.worker(*OPTIONS)
        early, late = _publish_both(scene)
        _signal(worker, COLD[how])
        worker.wait()
        scene.assert_nothing_is_left()
        assert scene.records.state(early) == "RETRY"
        assert scene.records.timeline(early) == [*FIRST, "retry"]
        cancelled = scene.records.events.get(task_id=early, kind="task_retry")
        assert cancelled.detail == "cancelled by the worker"
        assert scene.records.state(late) == "STARTED"
        assert not scene.records.workers.get().online
        assert _waiting(scene) == 1  # the other tests here have it delivered again


@dataclass(frozen=True)
class SoftlyStopped:
    """A worker after a soft shutdown, in which one of its two tasks came to its end."""

    scene: Scene
    in_time: str
    too_late: str


@pytest.fixture(scope="module")
def softly(make_scene: SceneMaker) -> Iterator[SoftlyStopped]:
    with make_scene("rabbitmq") as scene:
        worker = scene.worker(*OPTIONS, "--", "worker.soft_shutdown_timeout=3")
        in_time, too_late = _publish_both(scene)
        _signal(worker, [signal.SIGQUIT])
        worker.wait_for_output("Initiating Soft Shutdown")
        (scene.folder / "go").touch()
        worker.wait()
        scene.assert_nothing_is_left()
        yield SoftlyStopped(scene, in_time, too_late)


def test_what_ends_during_a_soft_shutdown_has_its_end_on_record(softly: SoftlyStopped) -> None:
    assert softly.scene.records.timeline(softly.in_time)[:4] == [*FIRST, "succeeded"]


def test_what_ends_during_a_soft_shutdown_is_a_success(softly: SoftlyStopped) -> None:
    # Celery's main process has not seen the end when it cancels the task, and says RETRY.
    assert softly.scene.records.state(softly.in_time) == "SUCCESS"


def test_what_does_not_end_during_a_soft_shutdown_is_delivered_again(
    softly: SoftlyStopped,
) -> None:
    assert softly.scene.records.state(softly.too_late) == "STARTED"
    _assert_redelivered(softly.scene, softly.too_late)


def test_what_a_killed_worker_had_not_acknowledged_is_delivered_again(
    make_scene: SceneMaker,
) -> None:
    with make_scene("rabbitmq") as scene:
        worker = scene.worker(*OPTIONS)
        early, late = _publish_both(scene)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        wait_until(lambda: not scene.shippers(), PATIENCE, "the end of the shipper")
        _assert_redelivered(scene, late)
        # Nobody knows more of the other one than that it began, and on which worker.
        task = scene.records.task(early)
        assert (task.state, task.worker) == ("STARTED", scene.hostname("w1"))
        assert scene.records.timeline(early) == FIRST
