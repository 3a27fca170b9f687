"""Tasks that run past their time limit, in a worker that can't end them."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import Scene
from tests.process.harness.waiting import wait_until
from z4j_django.queries import status


def test_a_pool_of_threads_lets_a_task_run_past_its_limit_and_it_is_said(scene: Scene) -> None:
    scene.worker("-P", "threads", "-c", "2", "--time-limit", "300")
    go = scene.folder / "go"
    limited = scene.publish(f"wait_for_file.apply_async(({str(go)!r},), time_limit=1.5)")
    free = scene.publish(f"wait_for_file.delay({str(go)!r})")
    for task_id in (limited, free):
        scene.wait_for_state(task_id, "STARTED")
    records = scene.records
    assert {records.task(one).time_limit for one in (limited, free)} == {2, 300}

    rows = [records.task(limited), records.task(free)]
    status.tell(rows, timezone.now() + timedelta(seconds=30))
    assert [one.status for one in rows] == ["running long, past its time limit of 2.00 s", ""]

    go.touch()
    wait_until(lambda: not records.unfinished([limited, free]), PATIENCE, "the ends of both")
