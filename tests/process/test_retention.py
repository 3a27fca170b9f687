"""Old records go, in a worker's shipper and by the command."""

from __future__ import annotations

import json
import sys
from datetime import timedelta

from django.utils import timezone

from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import Scene
from tests.process.harness.waiting import wait_until
from z4j_django import states

PRUNE = (sys.executable, "-m", "django", "z4j_prune")


def remember(scene: Scene, *task_ids: str) -> None:
    """Records of tasks that ended eight days ago."""
    ended = timezone.now() - timedelta(days=8)
    for task_id in task_ids:
        scene.records.tasks.create(
            task_id=task_id, state=states.SUCCESS, sent_at=ended, finished_at=ended
        )


def test_a_workers_shipper_prunes_by_the_setting_and_ships_on(scene: Scene) -> None:
    remember(scene, "old")
    environment = scene.environment(RETENTION={"default": "7d"})
    scene.worker(environment=environment)
    wait_until(lambda: scene.records.state("old") is None, PATIENCE, "the old record to go")
    task_id = scene.publish("add.delay(1, 2)", environment)
    scene.wait_for_state(task_id, states.SUCCESS)


def test_the_command_ends_between_two_batches_when_it_is_told_to(scene: Scene) -> None:
    remember(scene, "a", "b", "c")
    options = ("--older-than", "7d", "--batch", "1", "--pause", "600", "--json")
    program = scene.start(*PRUNE, *options, name="prune")
    wait_until(lambda: scene.records.state("a") is None, PATIENCE, "the first batch")
    program.terminate()
    assert program.wait() == 1
    shown = json.loads(program.output())
    assert (shown["complete"], shown["tasks"]) == (False, {"SUCCESS": 1})
    ended = scene.run(*PRUNE, "--older-than", "7d")
    assert (ended.returncode, scene.records.tasks.count()) == (0, 0)
    assert ended.stdout.startswith("Deleted 2 tasks (SUCCESS 2)")
