"""What goes wrong in a project is told while it does, and no longer."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

from django.utils import timezone

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE, Program
from tests.process.harness.scene import APP, Scene
from tests.process.harness.waiting import wait_until

#: Seconds after which the broker gives a message out again.
PATIENCE_OF_THE_BROKER = 3
#: So that nobody has to wait for minutes.
LIMITS: dict[str, dict[str, float]] = {
    "task_running_long": {"least": 1},
    "delivered_n_times": {},
    "chord_stuck": {"after": 0.5},
    "failing": {},
    "new_error": {"within": 90},
    "expired_in_bulk": {"within": 60},
    "possibly_lost": {"after": 0},
    "beat_stopped": {"after": 15},
    "schedule_overdue": {"least": 3},
}
#: Evaluates them until just these hold.
EVALUATE = """
import time
from django.utils import timezone
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conditions.scene import Scene
def evaluate():
    told = {}
    for key, given in LIMITS.items():
        one = CONDITIONS[key]
        for finding in one.find(Scene("default", timezone.now()), one.thresholds(**given)):
            told.setdefault(key, {})[finding.subject] = finding.evidence
    return told
end = time.monotonic() + 30
while not WANTED <= (told := evaluate()).keys() <= ALLOWED and time.monotonic() < end:
    time.sleep(0.2)
print(json.dumps(told))
"""
#: Tasks that take no time, and one that takes long; a late one, which the broker gives out again;
#: a chord whose result backend loses count; failures; and what nobody takes in time.
GO_WRONG = """
from celery import chord
from django_celery_results.models import ChordCounter
from tests.process.project.endings import wait_late
there, go = FILES
for _ in range(25):
    tasks.wait_for_file.delay(there)
tasks.wait_for_file.apply_async((go,), task_id="long")
wait_late.apply_async((go,), task_id="late")
stuck = chord([tasks.add.s(n, n).set(countdown=2) for n in range(2)])(tasks.total.s())
ChordCounter.objects.filter(group_id=stuck.parent.id).delete()
for _ in range(6):
    tasks.need_file.delay(go)
    tasks.add.apply_async((1, 1), expires=0.2, queue=f"{app.conf.task_default_queue}-nobody")
print(json.dumps(stuck.parent.id))
"""
#: All that an operator does about it.
GO_RIGHT = """
from z4j_django import operations
operations.retry("long", force=True, actor="the test")
operations.retry_group(GROUP, members="body", actor="the test")
for _ in range(700):
    tasks.need_file.delay(GO)
"""


def environment(scene: Scene) -> dict[str, str]:
    """The project's, whose broker has little patience."""
    return {**scene.environment(), "SCENE_VISIBILITY": str(PATIENCE_OF_THE_BROKER)}


def told(scene: Scene, *wanted: str, other: bool = False, **limits: Any) -> dict[str, Any]:
    """What holds, once just this does, or this among others."""
    given = {key: {**one, **limits.get(key, {})} for key, one in LIMITS.items()}
    allowed = set(LIMITS) if other else set(wanted)
    code = f"LIMITS, WANTED, ALLOWED = {given}, {set(wanted)}, {allowed}\n{EVALUATE}"
    found: dict[str, Any] = json.loads(scene.script(code, environment(scene)))
    assert set(wanted) <= found.keys() <= allowed, found
    return found


def beat(scene: Scene) -> Program:
    command = [sys.executable, "-m", "celery", "-A", APP, "beat", "-l", "INFO"]
    files = ["--pidfile", "", "-s", str(scene.folder / "schedule")]
    return scene.start(*command, *files, "--max-interval", "1", name="beat")


def test_each_is_told_while_it_holds_and_no_longer(make_scene: SceneMaker) -> None:
    with make_scene("redis") as scene:
        given = environment(scene)
        options = ("-P", "prefork", "-c", "8", "-I", f"{APP}.endings")
        worker = scene.worker(*options, environment=given)
        first_beat = beat(scene)
        there, go = scene.folder / "there", scene.folder / "go"
        there.touch()
        files = f"FILES = {str(there)!r}, {str(go)!r}\n"
        group = json.loads(scene.script(files + GO_WRONG, given))
        # Whoever comes up looks first for what others have had for too long.
        taken = scene.records.tasks.filter(task_id="late")
        too_long = timedelta(seconds=PATIENCE_OF_THE_BROKER + 1)
        wait_until(
            lambda: taken.filter(started_at__lt=timezone.now() - too_long).exists(),
            PATIENCE,
            "the late task to have run for longer than that",
        )
        scene.worker("-P", "solo", name="w2", environment=given)

        wrong = told(
            scene,
            "task_running_long",
            "delivered_n_times",
            "chord_stuck",
            "failing",
            "new_error",
            "expired_in_bulk",
            other=True,
        )
        long = wrong["task_running_long"]["wait_for_file"]
        assert long.startswith("1 task of wait_for_file runs for more than")
        again = wrong["delivered_n_times"]["wait_late"]
        assert "visibility timeout of 3.00 s ran out" in again
        assert "All 2 members of the chord ended, the last one " in wrong["chord_stuck"][group]
        assert wrong["failing"]["need_file"].startswith("6 of 6 runs of need_file failed in the")
        [error] = wrong["new_error"].values()
        assert "need_file fails with FileNotFoundError: " in error
        assert "6 that nobody took" in wrong["expired_in_bulk"][f"{scene.queue}-nobody"]

        first_beat.stop()
        worker.clean_up()
        scene.worker(*options, environment=given)
        lost = told(scene, "possibly_lost", "beat_stopped", "schedule_overdue", other=True)
        assert "was started anew" in lost["possibly_lost"][scene.hostname()]
        assert "No beat runs: beat@" in lost["beat_stopped"][""]
        late = lost["schedule_overdue"]["add every second"]
        assert late.startswith("add every second (add, every 1 s) was due")

        go.touch()
        beat(scene)
        scene.script(f"GO, GROUP = {str(go)!r}, {group!r}\n{GO_RIGHT}", given)
        told(scene, new_error={"within": 1}, expired_in_bulk={"within": 1})
