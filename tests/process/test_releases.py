"""Which release a task ran in, and an error that comes back, with real workers."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.process.harness.processes import REPOSITORY
from tests.process.harness.scene import Scene
from z4j_django.agent.releases import VARIABLES
from z4j_django.models import ErrorGroup, Release
from z4j_django.values import release_key


def test_a_task_is_of_the_release_that_published_it_then_of_the_one_that_ran_it(
    scene: Scene,
) -> None:
    task_id = scene.publish("add.delay(1, 2)", scene.environment(RELEASE="web 7"))
    worker = scene.worker(environment=scene.environment(RELEASE="worker 8"))
    scene.wait_for_state(task_id, "SUCCESS")
    assert scene.records.tasks.get(task_id=task_id).release == release_key("worker 8")
    worker.stop()
    names = Release.objects.using(scene.records.alias).values_list("name", flat=True)
    assert set(names) == {"web 7", "worker 8"}


def test_without_a_setting_it_is_the_commit_that_is_checked_out(scene: Scene) -> None:
    environment = scene.environment()
    environment = {name: environment[name] for name in environment if name not in VARIABLES}
    worker = scene.worker(environment=environment)
    task_id = scene.publish("add.delay(1, 2)", environment)
    scene.wait_for_state(task_id, "SUCCESS")
    worker.stop()
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    expected = release_key(found.stdout.strip())
    assert scene.records.tasks.get(task_id=task_id).release == expected


def test_a_resolved_error_comes_back_with_a_new_release_and_not_with_the_old_one(
    scene: Scene,
) -> None:
    errors = ErrorGroup.objects.using(scene.records.alias)

    def fails_in(release: str) -> None:
        environment = scene.environment(RELEASE=release)
        worker = scene.worker(environment=environment)
        task_id = scene.publish("fail.delay('no order 1')", environment)
        scene.wait_for_state(task_id, "FAILURE")
        worker.stop()

    fails_in("one")
    error = errors.get()
    assert (error.name, error.exception_type, error.count) == ("fail", "ValueError", 1)
    command = ("-m", "django", "z4j_errors", error.error_id, "--resolve", "--release", "two")
    ended = scene.run(sys.executable, *command, "--yes", "--json")
    assert json.loads(ended.stdout)["targets"][0]["outcome"] == "done"
    fails_in("one")
    assert (errors.get().state, errors.get().count) == ("resolved", 2)
    fails_in("two")
    assert (errors.get().state, errors.get().count) == ("open", 3)
    assert errors.get().regressed_at is not None
