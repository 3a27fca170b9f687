"""What a running task says, and what it is seen to do: by real workers, at a real site."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import APP, Scene
from tests.process.harness.site import Client, Site
from tests.process.harness.waiting import wait_until
from tests.process.project import words
from z4j_django.agent import stacks

POOLS = ["prefork", "threads"]
SOURCE = Path(words.__file__).read_text().splitlines()


@dataclass(frozen=True)
class Desk:
    """A scene with a worker of each pool, its site, and who uses it."""

    scene: Scene
    operator: Client
    viewer: Client

    def started(self, pool: str) -> str:
        """A task that runs in that pool until :meth:`end`."""
        queue = f"{self.scene.queue}.{pool}"
        name = f"{APP}.words"
        code = f"import {name}; print({name}.speak.apply_async(({str(self._file(pool))!r},), "
        task_id = self.scene.script(f"{code}queue={queue!r}).id)").strip()
        self.operator.wait_for_task(task_id, "STARTED")
        return task_id

    def end(self, pool: str) -> None:
        self._file(pool).touch()

    def _file(self, pool: str) -> Path:
        return self.scene.folder / f"{pool}.end"


@pytest.fixture(scope="module")
def desk(make_scene: SceneMaker) -> Iterator[Desk]:
    with make_scene("redis", "sqlite") as scene:
        site = Site(scene)
        environment = scene.environment(LOGS="WARNING")
        for pool in POOLS:
            options = ("-P", pool, "-c", "2", "-Q", f"{scene.queue}.{pool}", "-I", f"{APP}.words")
            scene.worker(*options, name=pool, environment=environment)
        operator, viewer = (site.sign_up(name, f"z4j {name}") for name in ("operator", "viewer"))
        yield Desk(scene, operator, viewer)


@pytest.mark.parametrize("pool", POOLS)
def test_a_running_task_is_seen_to_speak_and_where_it_is(desk: Desk, pool: str) -> None:
    task_id = desk.started(pool)

    def told() -> Any:
        return desk.operator.see("tasks", task_id)["progress"]

    wait_until(told, PATIENCE, "its progress")
    assert told() == {"current": 1.0, "total": 4.0, "text": "the first"}  # one in a second
    [line] = desk.operator.see("tasks", task_id, "logs")["results"]
    assert (line["level"], line["logger"]) == ("WARNING", "project.words")
    assert line["text"].startswith("login with password=")
    assert "hunter2" not in line["text"]

    seen = desk.operator.see("tasks", task_id, "stack")
    assert seen["sentence"] == ""
    frame = next(one for one in seen["frames"] if one["path"] == words.__file__)
    assert frame["function"] == "speak"
    assert frame["source"] == SOURCE[frame["line"] - 1].strip()
    assert frame["source"] in ("while not Path(path).exists():", "pause.wait(0.02)")
    assert desk.viewer.get("tasks", task_id, "stack").status == 403
    said = desk.scene.run(sys.executable, "-m", "django", "z4j_stack", task_id, "--json")
    assert any(one["function"] == "speak" for one in json.loads(said.stdout)["frames"])

    desk.end(pool)
    over = desk.operator.wait_for_task(task_id, "SUCCESS")
    assert over["progress"] == {"current": 4.0, "total": 4.0, "text": ""}
    texts = [one["text"] for one in desk.operator.see("tasks", task_id, "logs")["results"]]
    assert [text.split()[0] for text in texts] == ["login", "the"]
    kinds = [one["kind"] for one in desk.operator.see("tasks", task_id, "events")["results"]]
    assert "task_progress" not in kinds
    gone = desk.operator.see("tasks", task_id, "stack")
    assert gone == {"frames": [], "sentence": "The task does not run: it is SUCCESS."}


def test_a_stopped_child_and_a_lost_worker_are_said_in_a_sentence(desk: Desk) -> None:
    (desk.scene.folder / "prefork.end").unlink(missing_ok=True)
    task_id = desk.started("prefork")
    pid = desk.operator.see("tasks", task_id)["pid"]
    path = desk.scene.journal / f"{pid}{stacks.SUFFIX}"
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    unable = desk.operator.see("tasks", task_id, "stack")["sentence"]
    assert unable.startswith("Its worker can't tell the stack")
    desk.scene.programs[1].kill()
    nobody = desk.operator.see("tasks", task_id, "stack")["sentence"]
    assert nobody.startswith(f"The worker {desk.scene.hostname('prefork')} did not answer in time")
