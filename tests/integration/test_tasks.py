"""Retry, cancel and terminate: what is refused, what is published, and what the trail says."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import kombu
import pytest
from django.core.exceptions import PermissionDenied
from django.test import override_settings
from kombu.serialization import registry

from tests.integration import operators
from tests.integration.operators import HEADERS, keep
from tests.integration.pages import NOW
from z4j_django import operations
from z4j_django.agent.encoding import encode_value
from z4j_django.exceptions import DiscoveryError, OperationError
from z4j_django.models import Operation, OperationTarget, TaskPayload, TaskRecord
from z4j_django.operations import tasks
from z4j_django.secrets.masking import MASK

pytestmark = pytest.mark.django_db


def published(name: str) -> list[kombu.Message]:
    """What is in a queue of the broker in this process."""
    with kombu.Connection("memory://") as connection:
        bound = kombu.Queue(name)(connection.channel())
        return list(iter(lambda: bound.get(no_ack=True), None))


def outcome(operation: Operation) -> OperationTarget:
    return operation.targets.get()


def retry(task_id: str, **options: Any) -> OperationTarget:
    return outcome(operations.retry(task_id, actor="a test", **options))


def refused(task_id: str, **options: Any) -> str:
    target = retry(task_id, **options)
    assert (target.outcome, target.result_id) == ("refused", "")
    return target.reason


def test_the_same_bytes_are_published_under_a_new_id(queue: str) -> None:
    record = operators.kept("old", 1, "é", queue=queue)
    body = b'[ [1,2] , {"a" :1.0}, {"callbacks": null, "chain":null} ]'
    properties = {"correlation_id": "old", "reply_to": "me", "priority": 3, "delivery_mode": 1}
    headers = {
        **HEADERS,
        "retries": 4,
        "eta": "2026-01-01",
        "expires": "2026-01-01",
        "timelimit": [5, None],
        "stamps": {"customer": "42"},
        "mine": [1],
    }
    keep(record, body=body, headers=headers, properties={**properties, "expiration": "5000"})
    operation = operations.retry("old", actor="a test")
    target = outcome(operation)
    assert target.outcome == "done"
    [message] = published(queue)
    assert bytes(message.body) == body
    new = dict(message.headers)
    stamp = new.pop("z4j")
    assert (stamp["retry_of"], stamp["operation"]) == ("old", operation.pk)
    assert isinstance(stamp["at"], float)
    assert new.pop("origin").startswith("gen")
    assert new == {
        **headers,
        "id": target.result_id,
        "retries": 0,
        "eta": None,
        "expires": None,
    }
    kept = {name: message.properties.get(name) for name in (*properties, "expiration")}
    assert kept == {
        "correlation_id": target.result_id,
        "reply_to": None,
        "priority": 3,
        "delivery_mode": 1,
        "expiration": None,
    }


def test_a_task_that_was_its_own_root_is_so_again(queue: str) -> None:
    record = operators.kept("old", queue=queue)
    keep(record, headers={**HEADERS, "root_id": "old"})
    target = retry("old")
    assert published(queue)[0].headers["root_id"] == target.result_id


def test_a_compressed_body_is_compressed_again(queue: str) -> None:
    record = operators.kept("old", queue=queue)
    keep(record, headers={**HEADERS, "compression": "application/x-gzip"})
    assert retry("old").outcome == "done"
    [message] = published(queue)
    assert message.headers["compression"] == "application/x-gzip"
    assert bytes(message.body) == b"[[], {}, {}]"  # kombu has decompressed it


def test_when_it_may_run_is_what_was_asked_for(queue: str) -> None:
    operators.kept("old", queue=queue)
    eta = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    end = eta + timedelta(hours=1)
    retry("old", eta=eta, expires=end)
    retry("old", countdown=60, expires=90, force=True)
    first, second = published(queue)
    assert (first.headers["eta"], first.headers["expires"]) == (eta.isoformat(), end.isoformat())
    moments = [datetime.fromisoformat(second.headers[name]) for name in ("eta", "expires")]
    assert moments[1] - moments[0] == timedelta(seconds=30)
    parameters = Operation.objects.order_by("id").values_list("parameters", flat=True)
    assert list(parameters) == [
        {name: f"{moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in (("eta", eta), ("expires", end))},
        {"countdown": 60, "expires": 90, "force": True},
    ]


@pytest.mark.parametrize("state", ["PENDING", "RECEIVED", "STARTED", "RETRY"])
def test_what_has_not_ended_is_refused_unless_forced(queue: str, state: str) -> None:
    operators.kept("old", queue=queue, state=state, worker="w1@here")
    where = "" if state == "PENDING" else " on w1@here"
    assert refused("old").startswith(f"It is {state}{where}: it has not ended")
    assert published(queue) == []
    assert retry("old", force=True).outcome == "done"
    assert len(published(queue)) == 1


def test_why_there_is_no_message_is_said(queue: str) -> None:
    TaskRecord.objects.create(task_id="unseen", state="REVOKED")
    TaskRecord.objects.create(task_id="older", state="FAILURE", received_at=NOW)
    assert refused("nobody") == "No task of this id is on record."
    assert "no worker with this app has received it. The task is REVOKED." in refused("unseen")
    assert "has been pruned since. The task is FAILURE." in refused("older")
    with override_settings(Z4J={"PAYLOAD": "off"}):
        assert "Z4J['PAYLOAD'] is \"off\"" in refused("older")


def test_a_message_that_was_too_large_is_told_by_its_size(queue: str) -> None:
    operators.kept("old", queue=queue)
    TaskPayload.objects.update(sealed=b"", size=5_000_000)
    assert "5,000,000 bytes" in refused("old")


def test_a_message_under_a_lost_key_is_refused(queue: str) -> None:
    operators.kept("old", queue=queue)
    with override_settings(SECRET_KEY="another"):
        assert "SECRET_KEY changed" in refused("old")


def test_a_message_of_task_protocol_1_is_refused(queue: str) -> None:
    record = operators.kept("old", queue=queue)
    keep(record, headers={}, body=b'{"task": "shop.pay", "id": "old", "args": []}')
    assert "task protocol 1" in refused("old")


def test_what_could_not_be_kept_is_named(queue: str) -> None:
    record = operators.kept("old", queue=queue)
    keep(record, left_out=("mine", "x-death"))
    assert refused("old") == "It can't be sent as it was: mine could not be kept."
    assert "without mine" in retry("old", force=True).reason


def test_what_the_broker_added_is_left_behind(queue: str) -> None:
    record = operators.kept("old", queue=queue)
    added = {"x-death": [{"count": 1}], "x-first-death-queue": "q", "x-delivery-count": 2}
    keep(record, headers={**HEADERS, **added, "x-mine": 1}, left_out=("timestamp",))
    assert retry("old").outcome == "done"
    [message] = published(queue)
    assert not added.keys() & message.headers.keys()
    assert message.headers["x-mine"] == 1


def test_a_chords_member_is_refused_and_freed_if_forced(queue: str) -> None:
    body = {"task": "total", "options": {"task_id": "the body"}, "kwargs": {}}
    record = operators.kept("old", queue=queue, chord_id="the body")
    keep(record, body=json.dumps([[1], {}, {"chord": body}]).encode())
    reason = refused("old")
    assert "the body" in reason
    assert "retry_group" in reason
    assert retry("old", force=True).outcome == "done"
    [message] = published(queue)
    assert json.loads(message.body)[2]["chord"] is None
    assert message.headers["group"] is None


def test_a_pickled_chords_member_is_refused_even_if_forced(queue: str) -> None:
    record = operators.kept("old", queue=queue, chord_id="the body")
    keep(record, content_type="application/x-python-serialize", body=b"whatever")
    assert "retry_group" in refused("old")
    assert "its body is pickled" in refused("old", force=True)


def test_the_steps_that_follow_get_fresh_ids_unless_they_are_to_be_kept(queue: str) -> None:
    step = {"task": "total", "options": {"task_id": "next", "root_id": "old"}, "kwargs": {}}
    record = operators.kept("old", queue=queue)
    whole = json.dumps([[1], {}, {"chain": [step]}]).encode()
    keep(record, body=whole)
    target = retry("old")
    retry("old", keep_ids=True, force=True)
    fresh, kept = published(queue)
    [renewed] = json.loads(fresh.body)[2]["chain"]
    assert renewed["options"]["task_id"] not in ("next", target.result_id)
    assert renewed["options"]["root_id"] == target.result_id
    assert bytes(kept.body) == whole


def test_other_arguments_replace_the_old_ones_and_are_redacted_in_the_trail(queue: str) -> None:
    operators.kept("old", 1, 2, queue=queue, name="known.to.nobody")
    target = retry("old", kwargs={"password": "hunter2", "n": 1})
    [message] = published(queue)
    assert json.loads(message.body)[:2] == [[1, 2], {"password": "hunter2", "n": 1}]
    shown = json.dumps(target.operation.parameters)
    assert "hunter2" not in shown
    assert '"n": 1' in shown


def test_an_edit_leaves_what_was_not_touched_as_it_was(queue: str) -> None:
    price, due = Decimal("1.50"), datetime(2026, 11, 28, 12, tzinfo=UTC)
    order = {"price": price, "on": due.date(), "at": due.timetz(), "id": uuid.UUID(int=7)}
    args = [1, float("nan"), price, {"due": due, "orders": [order, order]}]
    kwargs = {"rate": float("-inf")}
    _, _, body = registry.dumps([args, kwargs, {}], "json")
    keep(operators.kept("old", queue=queue), body=body.encode())
    shown, shown_kwargs = (json.loads(bytes(encode_value(value)[0])) for value in (args, kwargs))
    assert (shown[1], shown[2], shown_kwargs["rate"]) == ("<NaN>", "1.50", "<-Infinity>")
    shown[0] = 2
    assert retry("old", args=shown, kwargs={**shown_kwargs, "n": 1}).outcome == "done"
    [message] = published(queue)
    sent, sent_kwargs, _ = message.decode()
    assert repr(sent) == repr([2, *args[1:]])  # no two NaN are equal
    assert sent_kwargs == {**kwargs, "n": 1}
    assert message.headers["argsrepr"].startswith("(2, nan, Decimal('1.50'), {'due': datetime")


def test_a_word_for_a_number_is_refused_where_it_did_not_stand(queue: str) -> None:
    record = operators.kept("old", 1, queue=queue)
    keep(record, body=b"[[NaN, 1], {}, {}]")
    assert "The value at [1].rate is the record's word" in refused(
        "old", args=["<NaN>", {"rate": "<NaN>"}]
    )
    assert published(queue) == []


def test_an_argument_that_is_secret_for_one_of_the_tasks_is_masked_in_the_trail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = operators.broker_in_memory(monkeypatch)

    @app.task(name="shop.greet", shared=False, typing=False)
    def greet(name: str, number: int) -> None: ...

    @app.task(name="shop.login", shared=False, typing=False)
    def login(name: str, *passwords: str) -> None: ...

    queue = f"mail-{uuid.uuid4().hex}"
    operators.kept("a", queue=queue, name="shop.greet")
    operators.kept("b", queue=queue, name="shop.login")
    args = ["ann", "hunter2", "hunter3"]
    operation = operations.retry(["a", "b"], actor="a test", args=args)
    assert operation.parameters["args"] == ["ann", MASK, MASK]
    assert [json.loads(message.body)[0] for message in published(queue)] == [args, args]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"args": [object()]}, "args: This can't be sent: it is no plain JSON"),
        ({"countdown": "5"}, "countdown: This has to be a number from 0 to 31,622,400."),
        ({"eta": NOW, "countdown": 1}, "eta: Give either countdown or eta, not both."),
        ({"eta": "2099-01-01T00:00"}, "eta: .* is more than a year ahead."),
        ({"nonsense": 1}, "nonsense: There is no such option"),
    ],
)
def test_what_makes_no_sense_is_refused_as_a_whole(
    queue: str, options: dict[str, Any], reason: str
) -> None:
    operators.kept("old", queue=queue)
    with pytest.raises(OperationError, match=reason):
        operations.retry("old", actor="a test", **options)
    assert not Operation.objects.exists()


@pytest.mark.parametrize("task_ids", ["", [], ["  "], ["x" * 256], ["a\0b"], ["a\ud800b"], [7]])
def test_what_is_no_task_id_is_refused_as_a_whole(queue: str, task_ids: Any) -> None:
    for verb in (operations.retry, operations.cancel, operations.terminate):
        with pytest.raises(OperationError):
            verb(task_ids, actor="a test")
    assert not Operation.objects.exists()


def test_more_than_a_hundred_want_the_permission_to_act_on_many(queue: str) -> None:
    user = operators.User.objects.create_user("clerk")
    operators.grant(user, "retry_task", "cancel_task", "terminate_task")
    ids = [f"task-{number}" for number in range(101)]
    for verb in (operations.retry, operations.cancel, operations.terminate):
        with pytest.raises(PermissionDenied, match="run_bulk"):
            verb(ids, actor=user)
    assert not Operation.objects.exists()
    assert operations.retry(ids[1:], actor=user).refused == 100


def test_more_than_the_limit_are_refused_as_a_whole(queue: str) -> None:
    with (
        override_settings(Z4J={"BULK_LIMIT": 2}),
        pytest.raises(OperationError, match="3 tasks are more than"),
    ):
        operations.retry(["a", "b", "c"], actor="a test")
    assert not Operation.objects.exists()


def test_who_may_not_is_told_before_anything_is_looked_at(queue: str) -> None:
    user = operators.User.objects.create_user("nobody")
    for verb in (operations.retry, operations.cancel, operations.terminate):
        with pytest.raises(PermissionDenied):
            verb("old", actor=user)
    assert not Operation.objects.exists()


def test_without_the_projects_app_nothing_is_begun(settings: Any) -> None:
    settings.CELERY_APP = "nowhere.at:all"
    for verb in (operations.retry, operations.cancel, operations.terminate):
        with pytest.raises(DiscoveryError):
            verb("old", actor="a test")
    assert not Operation.objects.exists()


def test_a_preview_publishes_nothing_and_says_the_same(queue: str) -> None:
    operators.kept("old", queue=queue)
    operators.kept("running", queue=queue, state="STARTED", worker="w1")
    found = tasks.preview("retry", "default", ["old", "running", "nobody"], {})
    assert [(task_id, one.result) for task_id, one in found] == [
        ("old", "done"),
        ("running", "refused"),
        ("nobody", "refused"),
    ]
    cancelled = tasks.preview("cancel", "default", ["old", "running"], {})
    assert [one.reason for _, one in cancelled] == [
        "It is FAILURE already.",
        "It is STARTED on w1; cancel does not stop a running task, terminate does.",
    ]
    assert tasks.preview("terminate", "default", ["running"], {})[0][1].result == "done"
    assert published(queue) == []
    assert not Operation.objects.exists()
