"""Messages and operations that are deleted and kept, on the database of the settings."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from tests.integration.aged import WEEK, ago, left, task
from tests.integration.test_retention import prune
from z4j_django import retention_policy
from z4j_django.models import Operation, OperationTarget, SavedMessage, TaskPayload
from z4j_django.store import retention

pytestmark = pytest.mark.django_db(transaction=True)

DAYS = retention_policy.from_setting({"payloads": "3d"})
YEAR = retention_policy.from_setting({"operations": "52w"})


def payload(task_id: str, days: float, **fields: Any) -> None:
    TaskPayload.objects.create(task_id=task_id, sealed=b"x", size=1, created_at=ago(days), **fields)


def kept() -> set[str]:
    return set(TaskPayload.objects.values_list("task_id", flat=True))


def operation(days: float, targets: int = 2, **fields: Any) -> Operation:
    told: dict[str, Any] = {"verb": "purge_queue", "state": "finished", "finished_at": ago(days)}
    made = Operation.objects.create(
        **{**told, "actor": "ann", "created_at": ago(days), "updated_at": ago(days), **fields}
    )
    for number in range(targets):
        OperationTarget.objects.create(operation=made, position=number, target=f"t{number}")
        SavedMessage.objects.create(operation=made, position=number, sealed=b"x", size=1)
    return made


def test_a_task_takes_its_message_along() -> None:
    for name, days in (("old", 8), ("new", 1)):
        task(name, days)
        payload(name, days)
    payload("old", 8, project="other")
    counted = prune(dry_run=True).others["payloads"]
    assert prune().others["payloads"] == counted == 1
    assert (left(), kept()) == ({"new"}, {"new", "old"})
    assert TaskPayload.objects.get(task_id="old").project == "other"


def test_without_an_age_of_its_own_a_message_lives_as_long_as_its_task() -> None:
    task("a", 1)
    payload("a", 800)
    prune()
    assert kept() == {"a"}


def test_a_message_may_go_before_its_task() -> None:
    for days in (2, 4):
        task(str(days), days)
        payload(str(days), days)
    payload("theirs", 4, project="other")
    prune(DAYS)
    assert (left(), kept()) == ({"2", "4"}, {"2", "theirs"})


def test_a_message_that_goes_by_both_ages_is_counted_once() -> None:
    both = retention_policy.from_setting({"default": "7d", "payloads": "3d"})
    for days in (2, 4, 8):
        task(str(days), days)
        payload(str(days), days)
    payload("8, but redelivered", 1)
    task("8, but redelivered", 8)
    counted = prune(both, dry_run=True).others
    assert prune(both).others == counted
    assert counted["payloads"] == 3
    assert kept() == {"2"}


def test_many_old_messages_go_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 3)
    for number in range(8):
        payload(str(number), 4)
    tallies = [tally.others["payloads"] for tally in retention.prune(DAYS, "default")]
    assert tallies[:3] == [3, 6, 8]
    assert kept() == set()


def test_the_hourly_run_deletes_messages_that_have_an_age() -> None:
    payload("old", 4)
    housekeeper = retention.Housekeeper(DAYS, "default")
    housekeeper.step()
    assert kept() == set()


def test_operations_are_kept_for_ever_unless_asked() -> None:
    operation(8000)
    prune(WEEK)
    assert Operation.objects.count() == 1


def test_an_old_operation_goes_with_its_targets_and_saved_messages() -> None:
    operation(400)
    recent = operation(300)
    theirs = operation(400, project="other")
    still = operation(400, state="running", finished_at=None)
    counted = prune(YEAR, dry_run=True).others
    assert Operation.objects.count() == 4
    assert prune(YEAR).others["operations"] == counted["operations"] == 1
    assert set(Operation.objects.all()) == {recent, theirs, still}
    assert OperationTarget.objects.count() == SavedMessage.objects.count() == 6


def test_a_large_operation_goes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 3)
    operation(400, targets=8)
    batches = list(retention.prune(YEAR, "default"))
    assert len(batches) >= 6
    assert not SavedMessage.objects.exists()
    assert not Operation.objects.exists()


def test_the_walk_over_operations_ends_where_all_is_new() -> None:
    for number in range(12):
        operation(400 if number < 2 else 1, targets=0)
    assert len(list(retention.prune(YEAR, "default", batch=2))) == 2
    assert Operation.objects.count() == 10


def test_old_messages_are_found_by_their_index() -> None:
    for number in range(300):
        payload(str(number), 1)
    old = TaskPayload.objects.filter(project="default", created_at__lt=ago(3))
    with connection.cursor() as cursor:
        analyze = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
        cursor.execute(f"{analyze} z4j_django_taskpayload")
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert "z4j_payload_created" in old.explain()
