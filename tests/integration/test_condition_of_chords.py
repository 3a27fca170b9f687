"""Chords of whose body nothing comes, told from those that only wait, or failed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.finding import NOW, ago, evidence, find
from tests.integration.pages import task
from z4j_django.conditions import chord_stuck
from z4j_django.models import ConditionRecord, GroupRecord, TaskRecord
from z4j_django.queries import status

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _chord() -> None:
    """One of three members, that ended, and a body that was not sent."""
    chord("g", ago(minutes=5))
    task("body", name="shop.total", state="PENDING")


def chord(group_id: str, ended: Any) -> None:
    GroupRecord.objects.create(
        group_id=group_id,
        kind="chord",
        size=3,
        body_id="body" if group_id == "g" else f"{group_id}-body",
        body_name="shop.total",
        first_seen=ago(hours=1),
    )
    for index in range(3):
        member(group_id, index, finished_at=ended)


def member(group_id: str, index: int, **fields: Any) -> TaskRecord:
    given = {"name": "shop.part", "state": "SUCCESS", "sent_at": ago(hours=1), **fields}
    return task(f"{group_id}-{index}", group_id=group_id, group_index=index, **given)


def turn(index: int, **fields: Any) -> None:
    TaskRecord.objects.filter(task_id=f"g-{index}").update(**fields)


def test_a_body_that_does_not_come_after_all_members_is_stuck() -> None:
    [finding] = find("chord_stuck")
    assert finding.evidence == (
        "All 3 members of the chord ended, the last one 5m 00s ago, and its body shop.total was "
        "not sent. celery.chord_unlock is to wait for the members; none of the newest on record "
        "does."
    )
    assert (finding.subject, finding.since) == ("g", ago(minutes=5))
    assert finding.numbers == {"members": 3, "unheard": 0, "seconds": 300.0, "body_id": "body"}


def test_celery_has_a_minute_to_send_it() -> None:
    turn(2, finished_at=ago(seconds=40))
    assert find("chord_stuck") == []
    assert len(find("chord_stuck", after=30)) == 1


def test_a_body_that_was_sent_is_not_stuck() -> None:
    TaskRecord.objects.filter(task_id="body").update(sent_at=ago(minutes=4))
    assert find("chord_stuck") == []


@pytest.mark.parametrize("state", ["PENDING", "RECEIVED", "STARTED", "RETRY"])
def test_a_chord_waits_for_a_member_that_has_not_ended(state: str) -> None:
    turn(1, state=state, finished_at=None)
    assert find("chord_stuck") == []


def test_a_chord_waits_for_a_member_that_is_not_on_record() -> None:
    TaskRecord.objects.filter(task_id="g-0").delete()
    assert find("chord_stuck") == []


@pytest.mark.parametrize("state", ["FAILURE", "REVOKED"])
def test_a_header_that_failed_is_not_stuck_and_its_body_is_never_sent(state: str) -> None:
    turn(1, state=state)
    assert find("chord_stuck") == []
    body = TaskRecord.objects.get(task_id="body")
    status.tell([body], NOW)
    assert body.status == "never sent: a member of its chord's header failed"


def test_an_ignored_member_is_the_reason() -> None:
    turn(1, state="IGNORED")
    assert evidence("chord_stuck")["g"].endswith(
        "1 member ended as IGNORED or REJECTED: of these the result backend hears nothing, so the "
        "chord waits for ever."
    )


def test_the_task_that_unlocks_it_says_how_it_stands() -> None:
    task("u1", name="celery.chord_unlock", args=["other", {}], state="RETRY", retries=9)
    task("u2", name="celery.chord_unlock", args=["g", {}], state="RETRY", retries=12)
    assert evidence("chord_stuck")["g"].endswith(
        " celery.chord_unlock u2, which waits for the members, is RETRY after 12 retries."
    )


def test_a_body_that_an_operator_ran_again_is_seen_to() -> None:
    task("again", retry_of="body")
    assert find("chord_stuck") == []


def test_one_that_many_newer_groups_have_covered_has_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chord_stuck, "_NEWEST", 20)
    monkeypatch.setattr(chord_stuck, "_OLDER", 5)
    GroupRecord.objects.bulk_create(
        GroupRecord(group_id=f"x{number}", first_seen=NOW) for number in range(50)
    )
    assert any(find("chord_stuck") for _ in range(200))
    assert not all(find("chord_stuck") for _ in range(200))
    ConditionRecord.objects.create(key="chord_stuck", subject="g", since=NOW, last_seen=NOW)
    assert all(find("chord_stuck") for _ in range(20))
