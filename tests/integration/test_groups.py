"""Groups and chords again: what is planned, what is published, what the trail says."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import celery
import pytest
from celery import chain, chord
from celery.canvas import Signature
from django.core.management import CommandError, call_command

from tests import messages
from tests.integration import chords
from tests.integration.chords import Chained, Sent, published, record
from tests.integration.pages import NOW
from z4j_django import operations, states
from z4j_django.control import workflow_publishing
from z4j_django.control.results import REPLAY_TASK
from z4j_django.exceptions import OperationError
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.operations import groups

pytestmark = pytest.mark.django_db


@pytest.fixture
def plain(chord_app: celery.Celery) -> Sent:
    """A group of three, whose member 1 has failed."""
    return chords.group_of_three(chord_app)


def test_the_trail_names_each_task_and_what_became_of_it(
    sent: Sent, chord_app: celery.Celery
) -> None:
    operation = operations.retry_group(sent.id, actor="the test", members="failed")
    assert (operation.total, operation.done, operation.verb) == (3, 3, "retry_group")
    targets = list(operation.targets.order_by("position"))
    assert [target.target for target in targets] == sent.members
    stood = "Its result stands and is replayed."
    assert [target.reason for target in targets] == [stood, "", stood]
    found = list(messages.taken(chord_app.conf.task_default_queue))
    assert [one.headers["id"] for one in found] == [target.result_id for target in targets]
    assert {one.headers["group"] for one in found} == {operation.parameters["new_group_id"]}
    assert operation.parameters["group_id"] == sent.id
    assert operation.parameters["body_id"] == sent.body
    body = json.loads(found[0].body)[2]["chord"]
    assert body["options"]["task_id"] == operation.parameters["new_body_id"] != sent.body


def test_a_preview_says_what_will_run_and_publishes_nothing(
    sent: Sent, chord_app: celery.Celery
) -> None:
    plan = groups.preview(sent.id, {"members": "failed"})
    assert (plan.runs, plan.replays) == ([sent.members[1]], [sent.members[0], sent.members[2]])
    assert (plan.body_id, plan.kept) == (sent.body, [])
    assert not list(published(chord_app))


def test_kept_ids_are_those_of_the_body(sent: Sent, chord_app: celery.Celery) -> None:
    chord_app.backend.store_result(sent.body, ValueError("a member failed"), states.FAILURE)
    operation = operations.retry_group(sent.id, actor="the test", members="failed", keep_ids=True)
    assert operation.parameters["new_body_id"] == sent.body
    assert chord_app.AsyncResult(sent.body).state == states.PENDING


def test_of_a_body_that_is_a_chain_the_trail_names_the_first_step(
    chord_app: celery.Celery,
) -> None:
    pay, tell, end = (Signature(name, app=chord_app) for name in ("pay", "tell", "end"))
    sent = Sent(chord_app, chord([pay, pay], chain(tell, end, app=chord_app), app=chord_app))
    sent.turn(1, state=states.FAILURE)
    first, last = sent.steps
    operation = operations.retry_group(sent.id, actor="the test", members="failed", keep_ids=True)
    told = operation.parameters
    assert (told["body_id"], told["new_body_id"]) == (first, first)
    embedded = json.loads(next(messages.taken(chord_app.conf.task_default_queue)).body)[2]["chord"]
    steps = [one["options"]["task_id"] for one in embedded["kwargs"]["tasks"]]
    assert steps == [first, last]


def test_of_a_group_only_what_failed_is_published(plain: Sent, chord_app: celery.Celery) -> None:
    operations.retry_group(plain.id, actor="the test", members="failed")
    assert list(published(chord_app)) == [("pay", [1])]


def test_replays_are_not_run_as_members_of_their_own(sent: Sent, chord_app: celery.Celery) -> None:
    operations.retry_group(sent.id, actor="the test", members="failed")
    again = list(messages.taken(chord_app.conf.task_default_queue))
    for message in again:
        record(
            message,
            retry_of=message.headers["z4j"]["retry_of"],
            state=states.FAILURE,
        )
    new_id = again[0].headers["group"]
    GroupRecord.objects.create(
        group_id=new_id, kind="chord", size=3, body_id="new body", first_seen=NOW
    )
    plan = groups.preview(new_id, {"members": "failed"})
    assert plan.replays == [sent.members[0], sent.members[2]]
    assert plan.runs == [again[1].headers["id"]]
    operations.retry_group(new_id, actor="the test", members="all")
    assert list(published(chord_app)) == [("pay", [0]), ("pay", [1]), ("pay", [2])]


def test_a_retry_that_stops_halfway_says_what_was_sent(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def halfway(app: Any, workflow: Any, ids: Any, **options: Any) -> workflow_publishing.Sent:
        return workflow_publishing.Sent(frozenset(ids[:1]), ConnectionError("the broker went away"))

    monkeypatch.setattr(groups.workflow_publishing, "publish", halfway)
    operation = operations.retry_group(sent.id, actor="the test")
    first, second, third = operation.targets.order_by("position")
    assert first.outcome == "done"
    assert first.reason.endswith("not all of its group was: the group can't complete.")
    assert {second.outcome, third.outcome} == {"failed"}
    assert second.reason == "It was not sent: ConnectionError: the broker went away"


def test_what_the_broker_did_not_confirm_is_unknown_and_named(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(app: Any, workflow: Any, ids: Any, **options: Any) -> workflow_publishing.Sent:
        return workflow_publishing.Sent(frozenset(), TimeoutError("no answer"))

    monkeypatch.setattr(groups.workflow_publishing, "publish", silent)
    operation = operations.retry_group(sent.id, actor="the test")
    assert operation.unknown == operation.total == 3
    assert all(target.result_id for target in operation.targets.all())


def test_the_newest_run_of_a_member_counts(sent: Sent, chord_app: celery.Celery) -> None:
    TaskRecord.objects.create(
        task_id="the retry",
        retry_of=sent.members[1],
        state=states.SUCCESS,
        sent_at=NOW + timedelta(hours=1),
    )
    chord_app.backend.store_result("the retry", 1, states.SUCCESS)
    plan = groups.preview(sent.id, {"members": "failed"})
    assert plan.replays == [sent.members[0], "the retry", sent.members[2]]


def test_the_command_asks_first_and_tells_what_was_done(
    sent: Sent, capsys: pytest.CaptureFixture[str], chord_app: celery.Celery
) -> None:
    call_command("z4j_retry_group", sent.id, "--members", "failed", "--dry-run")
    shown = capsys.readouterr().out
    assert f"{sent.members[1]}  would be done" in shown
    assert "Nothing was done. 3 of 3 could be." in shown
    with pytest.raises(CommandError, match="Nobody can be asked here"):
        call_command("z4j_retry_group", sent.id)
    call_command("z4j_retry_group", sent.id, "--members", "failed", "--yes", "--json")
    document = json.loads(capsys.readouterr().out)
    assert (document["verb"], document["done"]) == ("retry_group", 3)
    assert [name for name, _ in published(chord_app)] == [REPLAY_TASK, "pay", REPLAY_TASK]


def test_the_command_refuses_in_words(chord_app: celery.Celery) -> None:
    with pytest.raises(CommandError, match="There is no group nobody on record"):
        call_command("z4j_retry_group", "nobody", "--yes")


def test_a_chain_that_failed_goes_on_from_its_failed_step(chord_app: celery.Celery) -> None:
    chained = Chained(chord_app)
    chained.turn(state=states.FAILURE)
    operation = operations.retry_group(chained.id, actor="the test", members="failed")
    first, second = operation.targets.order_by("position")
    assert (first.target, first.reason) == (
        chained.first.headers["id"],
        "The rest of its chain follows.",
    )
    assert second.target == chained.other.headers["id"]
    assert list(published(chord_app)) == [("pay", [1]), (REPLAY_TASK, [second.target])]


def test_a_chain_whose_next_step_was_lost_goes_on_after_the_last_result(
    chord_app: celery.Celery,
) -> None:
    chained = Chained(chord_app)
    operation = operations.retry_group(chained.id, actor="the test", members="failed")
    first = operation.targets.order_by("position")[0]
    assert first.reason == "Its result stands and is replayed; the chain goes on after it."
    sent = list(messages.taken(chord_app.conf.task_default_queue))
    assert [one.headers["task"] for one in sent] == [REPLAY_TASK, REPLAY_TASK]
    assert [step["task"] for step in json.loads(sent[0].body)[2]["chain"]] == ["tell"]


def test_all_of_a_chain_starts_at_its_first_step(chord_app: celery.Celery) -> None:
    chained = Chained(chord_app)
    TaskRecord.objects.filter(task_id=chained.last).update(state=states.SUCCESS, sent_at=NOW)
    assert groups.preview(chained.id, {"members": "all"}).runs == [
        chained.first.headers["id"],
        chained.other.headers["id"],
    ]


def test_a_chain_without_its_first_step_on_record_is_refused(chord_app: celery.Celery) -> None:
    chained = Chained(chord_app)
    TaskRecord.objects.filter(task_id=chained.first.headers["id"]).delete()
    with pytest.raises(OperationError, match="never ran, and no task is on record"):
        groups.preview(chained.id, {"members": "failed"})


def test_a_chain_under_way_is_refused(chord_app: celery.Celery) -> None:
    chained = Chained(chord_app)
    chained.turn(state=states.STARTED)
    with pytest.raises(OperationError, match=f"{chained.first.headers['id']} is STARTED"):
        groups.preview(chained.id, {"members": "failed"})
