"""Who records, and who ships, as the settings and the command line say."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.scene import APP, Scene

CELERY = (sys.executable, "-m", "celery", "-A", APP)
DJANGO = (sys.executable, "-m", "django")
COMMANDS = {
    "inspect ping": (*CELERY, "inspect", "ping"),
    "status": (*CELERY, "status"),
    "call": (*CELERY, "call", "add", "--args", "[1, 2]"),
    "purge": (*CELERY, "purge", "-f"),
    "check": (*DJANGO, "check"),
    "migrate": (*DJANGO, "migrate"),
}
TINY_TEST = f"""
import django
django.setup()
from {APP} import tasks
from {APP}.celery import app

def test_tiny():
    tasks.add.delay(1, 2)
"""


@pytest.fixture(scope="module")
def running(make_scene: SceneMaker) -> Iterator[Scene]:
    """A scene with a worker that answers commands."""
    with make_scene() as scene:
        scene.worker("-P", "solo", ready=" ready.")
        yield scene


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_only_looks_or_steers_leaves_no_journal(running: Scene, name: str) -> None:
    journal = running.folder / "journal-of-commands"
    environment = {**running.environment(JOURNAL_DIR=str(journal)), "SCENE_SETUP": "1"}
    ended = running.run(*COMMANDS[name], environment=environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not journal.exists()


@pytest.mark.parametrize("switch", ["ENABLED", "Z4J_DISABLED"])
def test_switched_off_nothing_is_recorded_and_no_shipper_starts(scene: Scene, switch: str) -> None:
    environment = {**scene.environment(), "Z4J_DISABLED": "1"}
    if switch == "ENABLED":
        environment = scene.environment(ENABLED=False)
    worker = scene.worker(ready=" ready.", environment=environment)
    task_id = scene.publish("add.delay(1, 2)", environment)
    worker.wait_for_output(f"Task add[{task_id}] succeeded")
    assert "z4j worker bootstrap" not in worker.output()
    assert scene.shippers() == []
    assert not scene.journal.exists()
    assert not scene.records.tasks.exists()


def test_under_a_test_runner_only_who_asks_is_recorded(scene: Scene) -> None:
    (scene.folder / "test_tiny.py").write_text(TINY_TEST)
    command = [sys.executable, "-m", "pytest", "-p", "no:django", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(scene.folder), str(scene.folder / "test_tiny.py")]
    ended = scene.run(*command)
    assert ended.returncode == 0, ended.stdout
    assert not scene.journal.exists()
    ended = scene.run(*command, environment=scene.environment(ENABLED=True))
    assert ended.returncode == 0, ended.stdout
    assert scene.records.tasks.get().state == "PENDING"


def test_a_thread_of_the_worker_ships_where_the_setting_says_so(scene: Scene) -> None:
    worker = scene.worker(environment=scene.environment(SHIPPER="thread"))
    task_id = scene.publish("add.delay(1, 2)", scene.environment(SHIPPER="thread"))
    scene.wait_for_state(task_id, "SUCCESS")
    assert scene.shippers() == []
    worker.stop()
    assert scene.records.timeline(task_id) == ["sent", "received", "started", "succeeded"]
    assert not scene.records.workers.get().online
    scene.assert_nothing_is_left()


def test_where_shipping_is_left_to_others_the_journal_waits_for_them(scene: Scene) -> None:
    environment = scene.environment(SHIPPER="external")
    worker = scene.worker(environment=environment)
    task_id = scene.publish("add.delay(1, 2)", environment)
    worker.wait_for_output(f"Task add[{task_id}] succeeded")
    assert scene.shippers() == []
    assert not scene.records.tasks.exists()
    assert scene.segments() != []
    scene.worker("-P", "solo", "-Q", "another-queue", name="w2")
    scene.wait_for_state(task_id, "SUCCESS")
    assert scene.records.timeline(task_id) == ["sent", "received", "started", "succeeded"]
