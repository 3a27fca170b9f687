"""Many tasks at once, carried out by real workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import Scene
from tests.process.harness.waiting import wait_until
from z4j_django import states
from z4j_django.models import Operation
from z4j_django.operations import bulk_operations

COUNT = 150
#: Prints the number of an operation that retries all tasks that failed.
RETRY = """
from z4j_django import operations
from z4j_django.queries.selection import Selection
failed = Selection("default", state="FAILURE")
print(operations.bulk("retry", actor="a test", selection=failed, rate={rate}).pk)
"""
#: Has the task sent with limits of which half is a turn.
SHORT_TURNS = """
from z4j_django import control, tasks
control.send_bulk = lambda app, number, queue, timeout: tasks.bulk.apply_async(
    (number,), soft_time_limit=3, time_limit=4
)
"""


@pytest.fixture
def scene(make_scene: SceneMaker) -> Iterator[Scene]:
    """A broker that gives what a killed worker held to the next one at once."""
    with make_scene("rabbitmq", "postgresql") as made:
        yield made


def fail_many(scene: Scene) -> list[str]:
    """Tasks that failed, because a file was missing that is there now."""
    file = scene.folder / "there"
    ids = scene.publish_many(
        f"print(json.dumps([tasks.need_file.delay({str(file)!r}).id for n in range({COUNT})]))"
    )
    wait_until(
        lambda: scene.records.tasks.filter(state=states.FAILURE).count() == COUNT,
        PATIENCE,
        "the failures",
    )
    file.touch()
    return ids


def look(scene: Scene, number: int) -> Operation:
    return Operation.objects.using(scene.records.alias).get(pk=number)


def wait_for_the_end(scene: Scene, number: int) -> Operation:
    return wait_until(
        lambda: (found := look(scene, number)).finished_at and found,
        PATIENCE + bulk_operations.SILENCE + bulk_operations.LOOK_AGAIN,
        "the end of the operation",
    )


def test_all_that_failed_run_again_and_each_record_names_the_one_that_it_retries(
    scene: Scene,
) -> None:
    scene.worker()
    ids = fail_many(scene)
    operation = wait_for_the_end(scene, int(scene.script(RETRY.format(rate=None))))
    assert (operation.state, operation.total, operation.done) == ("finished", COUNT, COUNT)
    retries = scene.records.tasks.filter(retry_of__in=ids)
    wait_until(
        lambda: retries.filter(state=states.SUCCESS).count() == COUNT, PATIENCE, "the retries"
    )
    assert set(retries.values_list("operation", flat=True)) == {operation.pk}
    pairs = operation.targets.using(scene.records.alias).values_list("target", "result_id")
    assert set(pairs) == set(retries.values_list("retry_of", "task_id"))


def test_after_its_worker_is_killed_another_goes_on_and_nothing_runs_twice(scene: Scene) -> None:
    first = scene.worker("-P", "solo")
    ids = fail_many(scene)
    number = int(scene.script(RETRY.format(rate=60.0)))
    retries = scene.records.tasks.filter(retry_of__in=ids)
    wait_until(lambda: retries.count() > COUNT // 3, PATIENCE, "some of the retries")
    first.kill()
    assert look(scene, number).finished_at is None
    scene.worker(name="w2")
    operation = wait_for_the_end(scene, number)
    assert operation.done + operation.unknown == COUNT
    assert operation.unknown <= 1
    wait_until(
        lambda: retries.filter(state=states.SUCCESS).count() >= operation.done,
        PATIENCE,
        "the retries",
    )
    retried = list(retries.values_list("retry_of", flat=True))
    assert len(retried) == len(set(retried))
    for task_id in retries.values_list("task_id", flat=True):
        assert scene.records.timeline(task_id).count("succeeded") == 1


def test_the_projects_time_limits_do_not_stop_it(scene: Scene) -> None:
    scene.worker("-P", "prefork", "-c", "2", "--soft-time-limit", "2", "--time-limit", "3")
    fail_many(scene)
    operation = wait_for_the_end(scene, int(scene.script(RETRY.format(rate=25.0))))
    assert (operation.state, operation.done) == ("finished", COUNT)


def test_where_it_may_not_take_that_long_it_goes_on_turn_by_turn(scene: Scene) -> None:
    scene.worker("-P", "prefork", "-c", "2")
    ids = fail_many(scene)
    number = int(scene.script(SHORT_TURNS + RETRY.format(rate=30.0)))
    operation = wait_for_the_end(scene, number)
    assert (operation.state, operation.done) == ("finished", COUNT)
    retries = scene.records.tasks.filter(retry_of__in=ids)
    wait_until(lambda: retries.count() == COUNT, PATIENCE, "the records of the retries")
    turns = scene.records.tasks.get(name="z4j_django.bulk")
    assert scene.records.timeline(turns.task_id).count("retry") >= 2


def test_one_that_is_aborted_leaves_the_rest_as_it_was(scene: Scene) -> None:
    scene.worker("-P", "threads", "-c", "2")
    ids = fail_many(scene)
    number = int(scene.script(RETRY.format(rate=20.0)))
    retries = scene.records.tasks.filter(retry_of__in=ids)
    wait_until(lambda: retries.count() > 5, PATIENCE, "some of the retries")
    scene.script(f"from z4j_django import operations; operations.abort({number}, actor='a test')")
    operation = wait_for_the_end(scene, number)
    assert (operation.state, operation.abort_requested) == ("aborted", True)
    assert 5 < operation.done < COUNT
    outcomes = operation.targets.using(scene.records.alias).values_list("outcome", flat=True)
    assert sorted(set(outcomes)) == ["done", "pending"]
    wait_until(lambda: retries.count() == operation.done, PATIENCE, "the records of the retries")
