"""Purging and restoring, on a broker in memory: what is refused, and what happens halfway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import celery
import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import transaction

from tests.integration.mailbox import QUEUE, Publish
from z4j_django import operations
from z4j_django.control import queues as broker
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget, SavedMessage
from z4j_django.operations import queues

pytestmark = pytest.mark.django_db


def purge(**options: Any) -> Operation:
    return operations.purge_queue(QUEUE, **{"actor": "tests", "confirm": QUEUE, **options})


def restore(number: int) -> Operation:
    return operations.restore(number, actor="tests")


def reason(operation: Operation) -> str:
    return operation.targets.get(position=0).reason


def test_what_was_purged_is_saved_and_comes_back_as_it_was(
    publish: Publish, waiting: Callable[[], list[Any]]
) -> None:
    publish(1, 2, 3)
    before = waiting()
    publish(1, 2, 3)
    purged = purge()
    assert (purged.state, purged.done, purged.total) == ("finished", 4, 4)
    assert purged.parameters == {"queue": QUEUE, "counted": 3, "removed": 3}
    assert operations.count_messages(QUEUE) == 0
    kinds = purged.targets.order_by("position").values_list("kind", "target", "outcome")
    assert list(kinds) == [("queue", QUEUE, "done")] + [
        ("task", f"task-{number}", "done") for number in (1, 2, 3)
    ]
    restored = restore(purged.pk)
    assert reason(restored) == "All 3 messages were put back."
    assert (restored.done, restored.parameters["restores"]) == (4, purged.pk)
    assert waiting() == before


def test_no_column_shows_what_a_message_says(publish: Publish) -> None:
    publish(1, password="hunter2")
    purge()
    saved = SavedMessage.objects.get()
    assert (saved.task_id, saved.name, saved.size) == ("task-1", "send", len(b"[[1], {}, {}]"))
    assert b"hunter2" not in bytes(saved.sealed)


@pytest.mark.parametrize("confirm", ["", "Mail", "mail ", "other"])
def test_a_name_that_is_not_typed_back_purges_nothing(publish: Publish, confirm: str) -> None:
    publish(1)
    with pytest.raises(OperationError, match=r"must be typed back|1 to 255 characters"):
        purge(confirm=confirm)
    assert operations.count_messages(QUEUE) == 1
    assert not Operation.objects.exists()


def test_without_the_permission_nothing_is_even_counted(publish: Publish) -> None:
    with pytest.raises(PermissionDenied, match="purge_queue"):
        purge(actor=AnonymousUser())
    with pytest.raises(PermissionDenied, match="purge_queue"):
        operations.restore(1, actor=AnonymousUser())


def test_an_empty_queue_is_refused(mail_app: celery.Celery) -> None:
    assert operations.count_messages(QUEUE) == 0
    with pytest.raises(OperationError, match="empty, or there is none of that name"):
        purge()


def test_a_broker_that_does_not_answer_is_told_before_anything_is_done(
    mail_app: celery.Celery,
) -> None:
    mail_app.conf.broker_url = "redis://:secret@127.0.0.1:1/0"
    with pytest.raises(OperationError, match="can't be counted") as told:
        purge()
    assert "secret" not in str(told.value)
    assert operations.count_messages(QUEUE) is None
    assert not Operation.objects.exists()


def test_it_takes_what_it_counted_though_more_comes_meanwhile(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = broker.Drain.read

    def read_while_others_publish(drain: broker.Drain, limit: int) -> list[broker.Found]:
        publish(100, 101)
        return read(drain, limit)

    monkeypatch.setattr(broker.Drain, "read", read_while_others_publish)
    publish(*range(15))
    purged = purge()
    assert purged.parameters["removed"] == 15
    assert reason(purged) == ("All 15 messages were saved and removed. In the queue now: 4.")


def test_a_broker_that_goes_away_halfway_leaves_what_is_saved_to_be_restored(
    publish: Publish, waiting: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    remove = broker.Drain.remove

    def remove_or_hang(drain: broker.Drain, found: Sequence[broker.Found]) -> list[bool]:
        calls.append(len(found))
        if len(calls) == 2:
            raise TimeoutError("no answer within 10 s")
        return remove(drain, found)

    monkeypatch.setattr(broker.Drain, "remove", remove_or_hang)
    publish(*range(15))
    purged = purge()
    assert (purged.done, purged.unknown, purged.total) == (10, 6, 16)
    assert reason(purged).startswith("The broker did not answer: no answer within 10 s. 10 of 15")
    monkeypatch.undo()


def test_what_went_back_to_the_queue_is_not_put_back_a_second_time(
    publish: Publish, waiting: Callable[[], list[Any]]
) -> None:
    publish(1, 2, 3)
    purged = purge()
    publish(2)  # as if the broker had never let go of it
    purged.messages.filter(task_id__in=["task-2", "task-3"]).update(removed_at=None)
    restored = restore(purged.pk)
    assert reason(restored) == "All 2 messages were put back."
    assert sorted(each[0] for each in waiting()) == ["task-1", "task-2", "task-3"]
    assert "went back to the queue" in purged.targets.get(target="task-2").reason
    assert "runs twice" in restored.targets.get(target="task-3").reason


def test_a_message_that_nobody_can_read_is_left_where_it_is(publish: Publish) -> None:
    publish(1, 2)
    publish(3, compression="a method that there is not")
    purged = purge()
    assert (purged.done, purged.refused) == (2, 1)
    assert reason(purged) == (
        "2 of 3 messages were saved and removed. Left in the queue, as it can't be kept: 1 "
        "(its body can't be decompressed). In the queue now: 1."
    )


def test_what_lies_among_the_files_of_kombus_own_transport_is_left(
    mail_app: celery.Celery, publish: Publish, waiting: Callable[[], list[Any]], tmp_path: Path
) -> None:
    folder = tmp_path / "messages"
    folder.mkdir()
    mail_app.conf.broker_url = "filesystem://"
    mail_app.conf.broker_transport_options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(tmp_path / "control"),
    }
    publish(*range(12))
    (folder / f"000_half-written.{QUEUE}.msg").write_bytes(b'{"body": ')
    (folder / f"001_odd.{QUEUE}.msg").write_bytes(b"\xff[]")
    purged = purge()
    assert (purged.done, purged.refused) == (12, 1)
    assert reason(purged).count("as it can't be kept: 1 (it is no message of kombu's") == 2
    assert restore(purged.pk).done == 13
    for path in folder.glob("00*"):
        path.unlink()
    assert {each[0] for each in waiting()} == {f"task-{number}" for number in range(12)}


def test_two_messages_of_one_task_are_two(
    publish: Publish, waiting: Callable[[], list[Any]]
) -> None:
    publish(1, 1)
    purged = purge()
    assert purged.done == 3
    restore(purged.pk)
    assert len(waiting()) == 2


def test_a_purge_that_is_aborted_stops_and_says_so(publish: Publish) -> None:
    publish(*range(25))

    def abort(done: int, of: int) -> None:
        Operation.objects.update(abort_requested=True)

    purged = purge(progress=abort)
    assert purged.parameters["removed"] == 10
    assert reason(purged) == "10 of 25 messages were saved and removed. In the queue now: 15."
    assert purged.state == "aborted"


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_no_message_is_touched(publish: Publish) -> None:
    publish(1)
    with transaction.atomic(), pytest.raises(OperationError, match="inside a transaction"):
        purge()
    assert operations.count_messages(QUEUE) == 1
    purged = purge()
    with transaction.atomic(), pytest.raises(OperationError, match="inside a transaction"):
        restore(purged.pk)
    assert operations.count_messages(QUEUE) == 0
    assert restore(purged.pk).done == 2


def test_a_name_that_no_database_takes_does_not_keep_a_queue_from_being_purged(
    publish: Publish, waiting: Callable[[], list[Any]]
) -> None:
    publish(1, task="send\ud800")
    publish(2)
    before = waiting()
    publish(1, task="send\ud800")
    publish(2)
    purged = purge()
    assert (purged.done, purged.total) == (3, 3)
    saved = SavedMessage.objects.order_by("position").values_list("name", flat=True)
    assert list(saved) == ["send�", "send"]
    assert restore(purged.pk).done == 3
    assert waiting() == before


def test_a_message_that_can_not_be_sealed_stays_and_the_others_are_purged(
    publish: Publish, waiting: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = queues.sealing.seal

    def seal_all_but_one(original: Any, context: str) -> bytes:
        if b"[2]" in original.body:
            raise ValueError("it is odd")
        return seal(original, context)

    monkeypatch.setattr(queues.sealing, "seal", seal_all_but_one)
    publish(1, 2, 3)
    purged = purge()
    assert (purged.done, purged.refused, purged.total) == (2, 1, 3)
    assert "2 of 3 messages" in reason(purged)
    assert "can't be kept: 1 (ValueError: it is odd)" in reason(purged)
    assert [task_id for task_id, _, _ in waiting()] == ["task-2"]


def test_large_messages_are_taken_few_at_a_time(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "ROOM", 40)
    sizes: list[int] = []
    remove = broker.Drain.remove

    def remember(drain: broker.Drain, found: Sequence[broker.Found]) -> list[bool]:
        sizes.append(len(found))
        return remove(drain, found)

    monkeypatch.setattr(broker.Drain, "remove", remember)
    publish(*range(19))
    assert purge().done == 20
    assert sizes == [10, 3, 2, 2, 2]  # of some 14 bytes each


def test_each_outcome_is_one_of_the_targets(publish: Publish) -> None:
    publish(*range(3))
    purged = purge()
    counted = OperationTarget.objects.filter(operation=purged).count()
    assert counted == purged.total == purged.done
