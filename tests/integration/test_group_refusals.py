"""Groups and chords again: all that is refused before anything is published."""

from __future__ import annotations

from typing import Any

import celery
import msgspec
import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import override_settings

from tests.integration.chords import Sent, keep
from tests.integration.pages import NOW
from z4j_django import operations, states
from z4j_django.agent import events
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, TaskPayload, TaskRecord
from z4j_django.operations import groups

pytestmark = pytest.mark.django_db


def test_a_group_that_is_not_on_record_is_refused(chord_app: celery.Celery) -> None:
    with pytest.raises(OperationError, match="There is no group nobody on record"):
        operations.retry_group("nobody", actor="the test")


def test_a_group_of_another_project_is_not_found(sent: Sent) -> None:
    assert "There is no group" in sent.refusal(project="other")


def test_members_that_are_not_on_record_are_refused(sent: Sent) -> None:
    TaskRecord.objects.filter(task_id=sent.members[1]).delete()
    assert sent.refusal(members="failed") == (
        f"Of the 3 members of {sent.id}, 1 are not on record (index 1): their records were "
        "pruned, or not kept."
    )


def test_two_members_of_one_index_are_refused(sent: Sent) -> None:
    sent.turn(2, group_index=1)
    assert "have the index 1" in sent.refusal()


def test_a_member_without_its_message_is_refused(sent: Sent) -> None:
    TaskPayload.objects.filter(task_id=sent.members[1]).delete()
    refusal = sent.refusal(members="failed")
    assert refusal.startswith(f"Member 1 of {sent.id}, {sent.members[1]}, can't run again.")
    assert "pruned since" in refusal


@override_settings(Z4J={"PAYLOAD": "off"})
def test_where_no_message_is_kept_it_says_so(sent: Sent) -> None:
    TaskPayload.objects.all().delete()
    assert "Z4J['PAYLOAD'] is \"off\"" in sent.refusal()


def test_a_pickled_member_is_refused(sent: Sent) -> None:
    keep(
        sent.members[1],
        events.Original(size=1, body=b"\x80", content_type="application/x-python-serialize"),
    )
    assert "never unpickled" in sent.refusal(members="failed")


def test_a_member_whose_message_was_not_kept_whole_is_refused(sent: Sent) -> None:
    headers = msgspec.Raw(msgspec.json.encode({"id": sent.members[1], "task": "pay"}))
    original = events.Original(
        size=12,
        body=b"[[], {}, {}]",
        content_type="application/json",
        content_encoding="utf-8",
        headers=headers,
        left_out=["tenant"],
    )
    keep(sent.members[1], original)
    assert "what could not be kept: tenant" in sent.refusal(members="failed")


@pytest.mark.parametrize("state", sorted(states.UNFINISHED))
def test_what_has_not_ended_is_refused_unless_forced(sent: Sent, state: str) -> None:
    busy = sent.turn(1, state=state)
    refusal = sent.refusal(members="failed")
    assert refusal == (
        f"1 tasks of {sent.id} have not ended: {busy} is {state}. Cancel them or wait; with force "
        "they run a second time."
    )
    assert groups.preview(sent.id, {"members": "failed", "force": True}).runs == [busy]


def test_a_body_that_runs_is_refused_unless_forced(sent: Sent) -> None:
    TaskRecord.objects.create(task_id=sent.body, state=states.STARTED, sent_at=NOW)
    assert f"{sent.body} is STARTED" in sent.refusal(members="all")
    assert groups.preview(sent.id, {"members": "all", "force": True}).runs == sent.members


def test_a_result_that_is_gone_is_refused(sent: Sent, chord_app: celery.Celery) -> None:
    chord_app.AsyncResult(sent.members[2]).forget()
    refusal = sent.refusal(members="failed")
    assert refusal.startswith("Of 2 results that the chord's body needs, 1 are not in the result")
    assert sent.members[2] in refusal


def test_a_result_backend_that_does_not_answer_is_refused(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any) -> None:
        raise ConnectionError("nobody there")

    monkeypatch.setattr(groups.results, "missing", away)
    assert "result backend does not answer, nothing was published" in sent.refusal(members="failed")


def test_a_broker_that_does_not_answer_is_refused(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any) -> None:
        raise ConnectionError("nobody there")

    monkeypatch.setattr(groups.control, "connect", away)
    assert "The broker does not answer, nothing was published" in sent.refusal()


@pytest.mark.parametrize("away", ["broker", "backend"])
def test_the_password_of_what_does_not_answer_is_masked(
    sent: Sent, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    def fail(*args: Any) -> None:
        raise ConnectionError("amqp://shop:hunter2@broker.example:5672 is away")

    where = {"broker": (groups.control, "connect"), "backend": (groups.results, "missing")}
    monkeypatch.setattr(*where[away], fail)
    refusal = sent.refusal(members="failed")
    assert "does not answer, nothing was published: ConnectionError: amqp://" in refusal
    assert "hunter2" not in refusal


def test_what_can_be_no_id_of_a_group_is_refused(chord_app: celery.Celery) -> None:
    for group_id in ("a\0b", "a\ud800b"):
        with pytest.raises(OperationError, match="is no id of a group"):
            operations.retry_group(group_id, actor="the test")


def test_more_tasks_than_are_allowed_at_once_are_refused(sent: Sent) -> None:
    with override_settings(Z4J={"BULK_LIMIT": 2}):
        assert "3 tasks are more than Z4J['BULK_LIMIT'] allows at once, 2." in sent.refusal()


def test_tasks_that_run_where_they_are_called_are_refused(
    sent: Sent, chord_app: celery.Celery
) -> None:
    chord_app.conf.task_always_eager = True
    assert "task_always_eager is on" in sent.refusal()


def test_only_three_ways_are_known(sent: Sent) -> None:
    assert sent.refusal(members="some") == "members: This has to be one of: all, failed, body."


def test_who_may_not_is_told_nothing_of_the_group(sent: Sent) -> None:
    user = User.objects.create_user("viewer")
    with pytest.raises(PermissionDenied, match="retry_group is missing"):
        operations.retry_group("nobody", actor=user)


def test_what_was_retried_a_moment_ago_is_not_retried_twice(sent: Sent) -> None:
    first = operations.retry_group(sent.id, actor="the test", members="failed")
    with pytest.raises(OperationError, match=f"Operation {first.pk} has just retried {sent.id}"):
        operations.retry_group(sent.id, actor="the test", members="failed")
    operations.retry_group(sent.id, actor="the test", members="failed", force=True)
    assert Operation.objects.count() == 2


def test_a_body_that_had_its_results_can_be_retried_by_itself(
    sent: Sent, chord_app: celery.Celery
) -> None:
    sent.turn(1, state=states.SUCCESS)
    TaskRecord.objects.create(task_id=sent.body, state=states.FAILURE, sent_at=NOW, received_at=NOW)
    chord_app.AsyncResult(sent.members[2]).forget()
    for members in ("body", "failed"):
        assert sent.refusal(members=members).endswith(
            f'members="all" runs every member again, and a retry of the task {sent.body} the '
            "body, whose own message has the results."
        )
