"""A look at what waits in a queue: shown as on record, and left where it is."""

from __future__ import annotations

import pickle
import time
from datetime import UTC, datetime
from typing import Any

import celery
import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from kombu import Producer

from tests.integration.api_client import address, body, client, problem
from tests.integration.mailbox import QUEUE, Publish
from tests.integration.nouns import holder
from tests.integration.operators import signed_in
from tests.integration.pages import task, text
from z4j_django import operations
from z4j_django.control import draining
from z4j_django.exceptions import OperationError
from z4j_django.operations import peeking
from z4j_django.secrets.masking import MASK

pytestmark = pytest.mark.django_db


class Bomb:
    def __reduce__(self) -> Any:
        return pytest.fail, ("it was unpickled",)


@pytest.fixture
def send(mail_app: celery.Celery) -> Any:
    def call(given: Any, **how: Any) -> None:
        with mail_app.connection_for_write() as connection:
            how = {"routing_key": QUEUE, "headers": {"id": "x", "task": "send"}, **how}
            Producer(connection.default_channel).publish(given, **how)

    return call


def peek() -> list[peeking.Waiting]:
    return peeking.peek(QUEUE, actor="tests")


def test_messages_are_shown_as_on_record_and_stay(publish: Publish) -> None:
    publish(1, 2, eta="2027-01-01T00:00:00+00:00")
    first, second = peek()
    assert (first.position, first.task_id, first.name, first.args) == (0, "task-1", "send", [1])
    assert (first.kwargs, first.priority, first.eta) == ({}, 1, "2027-01-01T00:00:00+00:00")
    assert (second.position, second.args, second.unknown) == (1, [2], "")
    assert operations.count_messages(QUEUE) == 2
    assert [one.task_id for one in peek()] == ["task-1", "task-2"]


def test_secrets_are_masked_by_their_names_and_their_positions(
    mail_app: celery.Celery, send: Any
) -> None:
    @mail_app.task(name="send")
    def deliver(to: str, password: str) -> None: ...

    send([["alice", "hunter2"], {"api_key": "s3cr3t"}, {}], serializer="json")
    [one] = peek()
    assert one.args == ["alice", MASK]
    assert one.kwargs == {"api_key": MASK}


def test_arguments_that_the_publisher_hid_stay_hidden(send: Any) -> None:
    headers = {"id": "x", "task": "send", "argsrepr": "('alice', '***')"}
    send([["alice", "hunter2"], {}, {}], serializer="json", headers=headers)
    [one] = peek()
    assert "hunter2" not in str(one)


def test_a_pickled_body_is_never_unpickled(send: Any) -> None:
    send(
        pickle.dumps([[Bomb()], {}, {}]),
        content_type="application/x-python-serialize",
        content_encoding="binary",
    )
    [one] = peek()
    assert (one.name, one.args) == ("send", None)
    assert "never unpickled" in one.unknown


def test_what_is_no_task_is_told_as_such(send: Any) -> None:
    send("is anybody there?", headers={}, content_type="text/plain", content_encoding="utf-8")
    [one] = peek()
    assert (one.task_id, one.unknown) == ("", "It is no task of protocol 2.")


@pytest.mark.parametrize("delivery", ["x", [1], 7, {"exchange": 5, "routing_key": []}])
def test_an_odd_one_hides_none_of_the_others(
    publish: Publish, mail_app: celery.Celery, delivery: Any
) -> None:
    odd = {
        "body": "[[], {}, {}]",
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"id": "odd", "task": "send"},
        "properties": {"delivery_tag": "t", "delivery_info": delivery},
    }
    with mail_app.connection_for_write() as connection:
        connection.default_channel._put(QUEUE, odd)
    publish(1)
    assert [one.task_id for one in peek()] == ["odd", "task-1"]
    purged = operations.purge_queue(QUEUE, actor="tests", confirm=QUEUE)
    assert (purged.done, purged.total, operations.count_messages(QUEUE)) == (3, 3, 0)


@pytest.mark.parametrize("with_zones", [True, False])
def test_it_is_told_when_one_was_sent_with_or_without_time_zones(
    send: Any, settings: Any, with_zones: bool
) -> None:
    settings.USE_TZ, settings.TIME_ZONE = with_zones, "UTC"
    task("x", queue=QUEUE)
    at = {"z4j": {"at": time.time() - 125}}
    send([[1], {}, {}], serializer="json", headers={"id": "x", "task": "send", **at})
    [one] = body(client("z4j operator").get(address("queues", QUEUE, "messages")))["results"]
    sent = datetime.fromisoformat(one["sent_at"])
    assert sent == datetime.fromtimestamp(at["z4j"]["at"], UTC)
    shown = {"queue": QUEUE, "messages": 1}
    page = signed_in("superuser").get("/admin/z4j_django/operation/queues/one/", shown)
    assert "2 min ago" in text(page)


def test_no_more_than_fifty_are_read(publish: Publish) -> None:
    publish(*range(60))
    assert len(peek()) == 50


def test_a_broker_that_can_not_be_looked_into_says_why(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(1)
    monkeypatch.setattr(draining, "_Memory", draining._Deliveries)
    with pytest.raises(OperationError, match="to those alone who take them"):
        peek()


def test_it_wants_two_permissions(publish: Publish) -> None:
    publish(1)
    with pytest.raises(PermissionDenied, match="pause_queue"):
        peeking.peek(QUEUE, actor=AnonymousUser())
    where = address("queues", QUEUE, "messages")
    assert holder("view_taskrecord").get(where).status_code == 403
    assert holder("pause_queue").get(where).status_code == 403
    assert holder("pause_queue", "view_taskrecord").get(where).status_code == 200


def test_the_api_tells_the_same(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(1)
    where = address("queues", QUEUE, "messages")
    [one] = body(client("z4j operator").get(where))["results"]
    assert (one["task_id"], one["args"], one["sent_at"]) == ("task-1", [1], None)
    monkeypatch.setattr(draining, "_Memory", draining._Deliveries)
    told = problem(client("z4j operator").get(where), 409)
    assert "to those alone who take them" in told["detail"]
