"""A queue that is purged and restored, on each broker; and a purge that is killed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models import QuerySet

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE, Program
from tests.process.harness.scene import PRELUDE, Scene
from tests.process.harness.waiting import wait_until
from z4j_django.models import Operation, OperationTarget, SavedMessage

COUNT = 1_000
PUBLISH = """
def publish(first, last):
    ids = []
    with app.pool.acquire() as connection:
        for n in range(first, last):
            options = {"priority": n % 10, "connection": connection}
            if n % 2:
                sent = tasks.total.apply_async(([n, n, 1],), serializer="json", **options)
            else:
                sent = tasks.total.apply_async(
                    ({n, -1},), serializer="pickle", compression="zlib", **options
                )
            ids.append(sent.id)
    return ids
"""
GARBAGE = """
from kombu import Producer
with app.connection_for_write() as connection:
    app.amqp.queues[app.conf.task_default_queue](connection.default_channel).declare()
    Producer(connection.default_channel).publish(
        "is anybody there?", exchange="", routing_key=app.conf.task_default_queue,
        content_type="text/plain", content_encoding="utf-8", headers={"from": "a neighbour"},
    )
"""
OPERATE = """
from z4j_django import operations
from z4j_django.exceptions import OperationError
queue = app.conf.task_default_queue
def told(operation):
    return {"id": operation.pk, "done": operation.done, "total": operation.total,
            "reason": operation.targets.get(position=0).reason}
def purge():
    return told(operations.purge_queue(queue, actor="the test", confirm=queue))
def restore(number):
    return told(operations.restore(number, actor="the test"))
"""
#: A purge that dies before, or after, it has removed the third batch that it has saved.
KILL = """
import os, signal
from z4j_django.control import queues
remove, batches = queues.Drain.remove, []
def remove_and_die(self, found):
    batches.append(found)
    if len(batches) == 3 and sys.argv[1] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = remove(self, found)
    if len(batches) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
queues.Drain.remove = remove_and_die
purge()
"""


@pytest.fixture(params=["redis", "rabbitmq", "filesystem"])
def scene(make_scene: SceneMaker, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A project on each broker."""
    with make_scene(request.param) as made:
        yield made


def ask(scene: Scene, code: str) -> Any:
    return json.loads(scene.script(f"{PUBLISH}{OPERATE}print(json.dumps({code}))"))


def published(scene: Scene, first: int, last: int, **z4j: Any) -> list[str]:
    code = f"{PUBLISH}print(json.dumps(publish({first}, {last})))"
    return list(json.loads(scene.script(code, scene.environment(**z4j))))


def saved(scene: Scene) -> QuerySet[SavedMessage]:
    return SavedMessage.objects.using(scene.records.alias)


def start_worker(scene: Scene, **environment: str) -> Program:
    accepts = {"SCENE_ACCEPT": "json pickle", "C_FORCE_ROOT": "1"}
    return scene.worker("-P", "solo", environment=scene.environment() | accepts | environment)


def run_all(scene: Scene, ids: list[str]) -> None:
    """Have a worker run what is in the queue; to keep its results would take most of the time."""
    worker = start_worker(scene, SCENE_RESULTS="disabled://")
    wait_until(lambda: not left_over(scene, ids), 2 * PATIENCE, "all tasks succeeded")
    worker.stop()
    scene.assert_nothing_is_left()


def left_over(scene: Scene, ids: list[str]) -> set[str]:
    done = scene.records.tasks.filter(state="SUCCESS").values_list("task_id", flat=True)
    return set(ids) - set(done)


def assert_each_ran_once_with_its_arguments(scene: Scene, ids: list[str]) -> None:
    found = {record.task_id: record for record in scene.records.tasks}
    for n, task_id in enumerate(ids):
        record = found[task_id]
        assert (record.result, record.deliveries) == (2 * n + 1 if n % 2 else n - 1, 1)
        if n % 2:
            assert record.args == [[n, n, 1]]


def test_a_purge_is_undone_by_its_restore(scene: Scene) -> None:
    ids = published(scene, 0, COUNT - 50)
    ids += published(scene, COUNT - 50, COUNT, ENABLED=False)  # of which nothing is recorded
    assert scene.waiting() == COUNT

    purged = ask(scene, "purge()")
    assert purged["reason"] == f"All {COUNT:,} messages were saved and removed."
    assert (purged["done"], purged["total"]) == (COUNT + 1, COUNT + 1)
    assert scene.waiting() == 0
    wait_until(
        lambda: scene.records.tasks.filter(state="REVOKED").count() == COUNT,
        PATIENCE,
        "all tasks revoked",
    )
    detail = f"purged by operation {purged['id']} of the test"
    assert set(scene.records.tasks.values_list("exception_message", flat=True)) == {detail}

    restored = ask(scene, f"restore({purged['id']})")
    assert restored["reason"] == f"All {COUNT:,} messages were put back."
    assert scene.waiting() == COUNT
    wait_until(
        lambda: scene.records.tasks.filter(state="PENDING").count() == COUNT,
        PATIENCE,
        "all tasks wait again",
    )
    run_all(scene, ids)
    assert_each_ran_once_with_its_arguments(scene, ids)
    assert scene.records.timeline(ids[0]) == [
        *("sent", "revoked", "sent", "received", "started", "succeeded"),
    ]
    again = scene.run(
        sys.executable, "-c", f"{PRELUDE}{OPERATE}restore({purged['id']})"
    ).stderr.splitlines()[-1]
    assert f"All {COUNT:,} messages were restored, the last by operation {restored['id']}" in again


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_purge_that_is_killed_loses_nothing_and_doubles_nothing(
    scene: Scene, moment: str
) -> None:
    ids = published(scene, 0, 300)
    code = PRELUDE + OPERATE + KILL
    killed = scene.run(sys.executable, "-c", code, moment)
    assert killed.returncode == -9
    removed = 110 if moment == "before" else 210
    wait_until(lambda: scene.waiting() == 300 - removed, PATIENCE, "what was not removed is back")
    assert saved(scene).count() == 210
    assert saved(scene).filter(removed_at=None).count() == 100

    operations = Operation.objects.using(scene.records.alias)
    number = operations.get().pk
    operations.update(updated_at="2026-01-01T00:00:00Z")  # so long ago did it go silent
    restored = ask(scene, f"restore({number})")
    assert restored["reason"] == f"All {removed} messages were put back."
    assert scene.waiting() == 300
    targets = OperationTarget.objects.using(scene.records.alias).filter(operation=number)
    outcomes = dict(targets.values_list("position", "outcome"))
    assert {outcomes[place] for place in range(1, 111)} == {"done"}
    in_hand = {outcomes[place] for place in range(111, 211)}
    assert in_hand == ({"refused"} if moment == "before" else {"unknown"})
    run_all(scene, ids)
    assert_each_ran_once_with_its_arguments(scene, ids)


def test_a_worker_that_runs_meanwhile_and_the_purge_share_the_messages(scene: Scene) -> None:
    ids = published(scene, 0, 500)
    worker = start_worker(scene)
    purged = ask(scene, "purge()")
    assert purged["done"] > 1
    ask(scene, f"restore({purged['id']})")
    wait_until(lambda: not left_over(scene, ids), 2 * PATIENCE, "all tasks succeeded")
    worker.stop()
    assert_each_ran_once_with_its_arguments(scene, ids)


def test_what_is_no_task_comes_back_too(scene: Scene) -> None:
    scene.script(GARBAGE)
    purged = ask(scene, "purge()")
    assert (purged["done"], scene.waiting()) == (2, 0)
    target = OperationTarget.objects.using(scene.records.alias).get(position=1)
    assert (target.target, target.outcome) == ("message 1", "done")

    ask(scene, f"restore({purged['id']})")
    found = scene.script("""
with app.connection_for_write() as connection:
    message = connection.default_channel.basic_get(app.conf.task_default_queue)
    message = connection.default_channel.message_to_python(message)
    print(json.dumps([message.body if isinstance(message.body, str) else message.body.decode(),
                      message.content_type, message.headers]))
    message.ack()
""")
    assert json.loads(found) == ["is anybody there?", "text/plain", {"from": "a neighbour"}]


def test_a_queue_that_is_not_there_is_not_purged(scene: Scene) -> None:
    ended = scene.run(sys.executable, "-c", f"{PRELUDE}{OPERATE}purge()")
    assert ended.stderr.splitlines()[-1].startswith("z4j_django.exceptions.OperationError: The ")
    assert not Operation.objects.using(scene.records.alias).exists()
