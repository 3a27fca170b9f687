"""How a task may be published. A custom id, a countdown and ``apply()``: ``test_workload.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import APP, Scene
from tests.process.harness.waiting import wait_until

WHOLE = ["sent", "received", "started", "succeeded"]
IN_TRANSACTIONS = """
from django.db import transaction
from django_celery_results.models import TaskResult

def attempt(task_id, publish):
    try:
        with transaction.atomic():
            TaskResult.objects.create(task_id=task_id)
            publish(task_id)
            raise LookupError("undone")
    except LookupError:
        pass

def later(task_id):
    tasks.add.apply_async_on_commit((1, 2), task_id=task_id)

attempt("at once", lambda task_id: tasks.add.apply_async((1, 2), task_id=task_id))
attempt("never", later)
with transaction.atomic():
    tasks.add.delay_on_commit(1, 2)
    later("in time")
print(json.dumps(list(TaskResult.objects.values_list("task_id", flat=True))))
"""
ALWAYS_EAGER = """
app.conf.task_always_eager = True
ids = [tasks.add.delay(2, 3).id, tasks.flaky.delay(1).id, tasks.fail.delay("no").id]
print(json.dumps(ids))
"""
BY_PRIORITY = """
print(json.dumps([
    tasks.add.apply_async((n, n), priority=priority).id
    for n, priority in enumerate((PRIORITIES))
]))
"""
#: Whether a broker takes the greatest number first.
GREATEST_FIRST = {"redis": False, "rabbitmq": True}


@pytest.fixture(scope="module")
def quiet(make_scene: SceneMaker) -> Iterator[Scene]:
    """A scene without a worker."""
    with make_scene() as scene:
        yield scene


def test_a_message_that_left_a_transaction_that_rolled_back_is_on_record(quiet: Scene) -> None:
    stored = json.loads(quiet.script(IN_TRANSACTIONS))
    assert stored == []
    assert quiet.records.timeline("at once") == ["sent"]
    assert quiet.records.state("never") is None
    assert quiet.records.timeline("in time") == ["sent"]
    assert quiet.records.tasks.count() == 3


def test_tasks_that_are_always_eager_are_on_record_without_a_message(quiet: Scene) -> None:
    success, retried, failed = map(quiet.records.task, json.loads(quiet.script(ALWAYS_EAGER)))
    assert quiet.records.timeline(success.task_id) == ["started", "succeeded"]
    assert (success.state, success.args, success.result) == ("SUCCESS", [2, 3], 5)
    assert (success.worker, success.queue, success.deliveries) == ("", "", 0)
    twice = {"started": 2, "retry": 1, "succeeded": 1}
    assert quiet.records.counted(retried.task_id) == twice
    assert (retried.state, retried.retries, retried.result) == ("SUCCESS", 1, 1)
    assert quiet.records.timeline(failed.task_id) == ["started", "failed"]
    assert (failed.state, failed.exception_type) == ("FAILURE", "ValueError")
    assert "raise ValueError(message)" in failed.traceback


@pytest.mark.parametrize("broker", GREATEST_FIRST)
def test_priorities_are_on_record_and_stay_what_they_were(
    make_scene: SceneMaker, broker: str
) -> None:
    priorities = [9, 3, 0, 6]
    with make_scene(broker) as scene:
        settings = scene.folder / "by_priority.py"
        settings.write_text(
            f"from {APP}.settings import *\n"
            "from kombu import Queue\n"
            "CELERY_TASK_QUEUES = [Queue(CELERY_TASK_DEFAULT_QUEUE, max_priority=10)]\n"
        )
        environment = scene.environment()
        environment["PYTHONPATH"] += f":{scene.folder}"
        environment["DJANGO_SETTINGS_MODULE"] = "by_priority"
        code = f"PRIORITIES = {priorities}\n{BY_PRIORITY}"
        ids = json.loads(scene.script(code, environment))
        options = ("-P", "solo", "--prefetch-multiplier", "1")
        scene.worker(*options, environment=environment)
        wait_until(lambda: not scene.records.unfinished(ids), PATIENCE, "all ends")
        tasks = [scene.records.task(task_id) for task_id in ids]
        assert [task.priority for task in tasks] == priorities
        assert {task.queue for task in tasks} == {scene.queue}
        in_order = sorted(tasks, key=lambda task: task.started_at)
        expected = sorted(priorities, reverse=GREATEST_FIRST[broker])
        assert [task.priority for task in in_order] == expected
        assert {tuple(scene.records.timeline(task_id)) for task_id in ids} == {tuple(WHOLE)}
