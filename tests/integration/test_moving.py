"""Moving messages into another queue and back, on a broker in memory: refusals, and halfway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import celery
import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from tests.integration.mailbox import QUEUE, Publish
from z4j_django import operations, wiring
from z4j_django.control import publishing
from z4j_django.control import queues as broker
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, SavedMessage, TaskRecord
from z4j_django.operations import restoring

pytestmark = pytest.mark.django_db
OTHER = "parked"
Depths = Callable[[], tuple[int | None, int | None]]


def move(**options: Any) -> Operation:
    return operations.move_queue(QUEUE, **{"actor": "tests", "to": OTHER, **options})


def restore(number: int) -> Operation:
    return operations.restore(number, actor="tests")


def reason(operation: Operation) -> str:
    return operation.targets.get(position=0).reason


@pytest.fixture
def depths(mail_app: celery.Celery) -> Depths:
    return lambda: (operations.count_messages(QUEUE), operations.count_messages(OTHER))


@pytest.fixture
def take(mail_app: celery.Celery) -> Callable[[str], Any]:
    """Takes the first message of a queue, as a worker does."""

    def call(queue: str) -> Any:
        with mail_app.connection_for_write() as connection:
            return connection.default_channel.basic_get(queue, no_ack=True)

    return call


def test_what_was_moved_comes_back_as_it_was(
    publish: Publish, waiting: Callable[[], list[Any]], depths: Depths
) -> None:
    publish(1, 2, 3)
    before = waiting()
    publish(1, 2, 3)
    moved = move()
    assert (moved.state, moved.done, moved.total) == ("finished", 4, 4)
    assert reason(moved) == "All 3 messages were moved."
    assert depths() == (0, 3)
    restored = restore(moved.pk)
    assert reason(restored) == "All 3 messages were put back."
    assert depths() == (3, 0)
    assert waiting() == before
    with pytest.raises(OperationError, match="All 3 messages were restored"):
        restore(moved.pk)


def test_a_filter_moves_those_whose_tasks_it_finds(publish: Publish, depths: Depths) -> None:
    publish(*range(12))
    TaskRecord.objects.bulk_create(
        TaskRecord(
            task_id=f"task-{n}", name="mail.a" if n % 2 else "mail.b", sent_at=timezone.now()
        )
        for n in range(10)
    )
    moved = move(filter="name:mail.a")
    assert reason(moved) == (
        "5 of 12 messages were moved. Left in the queue, as the filter does not find it: 7. "
        "In the queue now: 7."
    )
    assert (moved.done, moved.refused) == (6, 0)
    assert depths() == (7, 5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"to": QUEUE}, "lie in the queue 'mail' already"),
        ({"filter": "nonsense:1"}, "The filter can't be read"),
        ({"to": "a\0b"}, "can be printed"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_is_touched(
    publish: Publish, depths: Depths, options: dict[str, Any], told: str
) -> None:
    publish(1)
    with pytest.raises(OperationError, match=told):
        move(**options)
    assert depths() == (1, 0)
    assert not Operation.objects.exists()


def test_without_the_permission_nothing_is_even_counted(publish: Publish) -> None:
    with pytest.raises(PermissionDenied, match="purge_queue"):
        move(actor=AnonymousUser())


def test_what_a_worker_took_meanwhile_is_refused(
    publish: Publish, take: Callable[[str], Any], depths: Depths
) -> None:
    publish(1, 2, 3)
    moved = move()
    assert take(OTHER) is not None
    restored = restore(moved.pk)
    assert depths() == (2, 0)
    assert (restored.done, restored.refused, restored.total) == (2, 2, 4)
    assert reason(restored) == "2 of 3 messages were put back. Taken from 'parked' meanwhile: 1."
    [gone] = restored.targets.filter(kind="task", outcome="refused")
    assert "lies in the queue 'parked' no more" in gone.reason


def test_what_lies_deep_in_the_other_queue_is_found_or_said_to_be_out_of_reach(
    publish: Publish, depths: Depths, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(*range(150))
    move()
    publish(1_000, 1_001)
    moved = move()  # behind those of the first
    monkeypatch.setattr(restoring, "LOOKS", 1)
    restored = restore(moved.pk)
    assert reason(restored) == (
        f"0 of 2 messages were put back; restore operation {moved.pk} again for the rest. Not "
        "among the first 100 messages of 'parked', and further was not looked: 2."
    )
    assert [one.outcome for one in restored.targets.order_by("position")][1:] == ["unknown"] * 2
    monkeypatch.setattr(restoring, "LOOKS", 2)
    assert reason(restore(moved.pk)) == "All 2 messages were put back."
    assert depths() == (2, 150)


def test_what_others_sent_to_the_other_queue_stays_there(
    publish: Publish, mail_app: celery.Celery, depths: Depths
) -> None:
    publish(1)
    moved = move()
    publish(2)
    move()  # by somebody else
    restore(moved.pk)
    assert depths() == (1, 1)


def test_a_broker_that_goes_away_halfway_leaves_what_is_saved_to_be_put_back(
    publish: Publish,
    waiting: Callable[[], list[Any]],
    depths: Depths,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[Any] = []
    publish_one = publishing.Publisher.publish

    def publish_or_hang(publisher: Any, raw: Any, **where: Any) -> None:
        if len(sent) == 12:
            raise TimeoutError("no answer within 10 s")
        publish_one(publisher, raw, **where)
        sent.append(raw)

    publish(*range(15))
    with monkeypatch.context() as patch:
        patch.setattr(publishing.Publisher, "publish", publish_or_hang)
        moved = move()
    assert (moved.done, moved.unknown) == (12, 4)
    assert reason(moved) == (
        "The broker did not answer: no answer within 10 s. 12 of 15 messages were moved. Saved, "
        f"and not known to lie in the other queue: 3; restore operation {moved.pk} to put them "
        "back."
    )
    assert depths() == (0, 12)
    assert reason(restore(moved.pk)) == "All 15 messages were put back."
    assert depths() == (15, 0)
    assert sorted(one[0] for one in waiting()) == sorted(f"task-{n}" for n in range(15))


def test_after_a_move_that_was_killed_nothing_is_lost_and_nothing_comes_twice(
    publish: Publish, depths: Depths, waiting: Callable[[], list[Any]]
) -> None:
    publish(1, 2, 3, 4)
    moved = move()
    # As if it had been killed: of 2 before it said that it had published it; of 3 before it did.
    SavedMessage.objects.filter(task_id__in=["task-2", "task-3"]).update(moved_at=None)
    moved.targets.filter(target__in=["task-2", "task-3"]).update(outcome="acting")
    Operation.objects.update(finished_at=None, updated_at="2026-01-01T00:00:00Z")
    with operations_of(OTHER) as drain:
        found = {broker.task_of(one)[0]: one for one in drain.read(10)}
        drain.remove([found["task-3"]])
    restored = restore(moved.pk)
    assert reason(restored) == "All 4 messages were put back."
    assert depths() == (4, 0)
    assert sorted(one[0] for one in waiting()) == [f"task-{n}" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_after_a_restore_that_was_killed_as_well(
    publish: Publish,
    depths: Depths,
    waiting: Callable[[], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    publish(1, 2, 3)
    moved = move()
    remove = broker.Drain.remove

    def remove_and_die(drain: broker.Drain, found: Sequence[broker.Found]) -> list[bool]:
        if moment == "after":
            remove(drain, found)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(broker.Drain, "remove", remove_and_die)
        with pytest.raises(SystemExit):
            restore(moved.pk)
    Operation.objects.filter(finished_at=None).update(updated_at="2026-01-01T00:00:00Z")
    restored = restore(moved.pk)
    assert reason(restored) == "All 3 messages were put back."
    assert depths() == (3, 0)
    assert sorted(one[0] for one in waiting()) == [f"task-{n}" for n in (1, 2, 3)]


def operations_of(queue: str) -> broker.Drain:
    return broker.Drain(wiring.find_celery_app().app, queue, 5)
