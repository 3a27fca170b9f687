"""The original messages of tasks, as the store keeps them."""

from __future__ import annotations

import os
import threading
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test import override_settings

from tests.integration.test_writer import event, part
from z4j_django import conf
from z4j_django.agent import events
from z4j_django.models import TaskEvent, TaskPayload, TaskRecord
from z4j_django.secrets import sealing
from z4j_django.store import sql
from z4j_django.store.rows import PayloadRow
from z4j_django.store.writer import DatabaseSink, database_sink

pytestmark = pytest.mark.django_db(transaction=True)


def received(at: float, body: bytes = b"[[],{},{}]", **fields: Any) -> events.TaskEvent:
    task_id, retries = fields.pop("task_id", "a"), fields.pop("retries", 0)
    told = events.Original(**{"size": len(body), "body": body, **fields})
    return event(events.TASK_RECEIVED, at, task_id, retries=retries, original=told)


def store(*found: events.Event, payloads: bool = True) -> None:
    DatabaseSink(payloads=payloads).apply([part(found)])


def opened(task_id: str = "a") -> events.Original:
    row = TaskPayload.objects.get(project="shop", task_id=task_id)
    return sealing.open_sealed(row.sealed, sealing.task_context("shop", task_id))


@pytest.mark.parametrize(
    "body",
    [b"", b"\x80\x02]q\x00.", bytes(range(256)) * 20, os.urandom(300_000), "ключ %s".encode()],
    ids=["empty", "pickle", "every byte", "large", "text"],
)
def test_a_body_comes_back_byte_for_byte(body: bytes) -> None:
    store(
        received(
            1_800_000_000.25,
            body,
            content_type="application/x-python-serialize",
            content_encoding="binary",
            headers=msgspec.Raw(b'{"task":"shop.charge","timelimit":[null,30.5]}'),
            properties=msgspec.Raw(b'{"priority":3}'),
            exchange="shop",
            routing_key="mail",
        )
    )
    found = opened()
    assert found.body == body
    assert (found.content_type, found.content_encoding) == (
        "application/x-python-serialize",
        "binary",
    )
    assert bytes(found.headers) == b'{"task":"shop.charge","timelimit":[null,30.5]}'
    assert bytes(found.properties) == b'{"priority":3}'
    assert (found.exchange, found.routing_key) == ("shop", "mail")
    row = TaskPayload.objects.get()
    assert (row.size, row.created_at.timestamp()) == (len(body), 1_800_000_000.25)


def test_the_first_message_stands_within_a_batch_and_across_batches() -> None:
    store(received(5.0, b"second", retries=1), received(7.0, b"first"), received(9.0, b"again"))
    assert opened().body == b"first"
    store(received(1.0, b"late"), received(1.0, b"other", task_id="b"))
    assert opened().body == b"first"
    assert opened("b").body == b"other"
    assert TaskPayload.objects.count() == 2


def test_of_a_message_that_is_too_large_the_size_stands() -> None:
    store(received(1.0, b"", size=5_000_000))
    row = TaskPayload.objects.get()
    assert (bytes(row.sealed), row.size) == (b"", 5_000_000)


@pytest.mark.parametrize("size", [300_000, 16 * 1024**2])
def test_a_message_that_the_database_would_refuse_does_not_hold_up_the_others(size: int) -> None:
    """MySQL and MariaDB take no statement that is larger than ``max_allowed_packet``."""
    with connection.cursor() as cursor:
        taken = size
        if connection.vendor == "mysql":
            cursor.execute("SELECT @@max_allowed_packet")
            taken = cursor.fetchone()[0] // 2
    body = os.urandom(size)
    store(received(1.0, body), received(1.0, b"small", task_id="b"))
    assert opened("b").body == b"small"
    row = TaskPayload.objects.get(task_id="a")
    assert row.size == size
    assert (opened().body == body) if size <= taken else (bytes(row.sealed) == b"")


def test_no_message_is_kept_where_none_is_wanted() -> None:
    store(received(1.0), payloads=False)
    assert TaskRecord.objects.count() == 1
    assert TaskPayload.objects.count() == 0


def test_the_settings_say_whether_messages_are_kept() -> None:
    assert database_sink().payloads
    with override_settings(Z4J={"PAYLOAD": "off"}):
        assert not database_sink().payloads
    with override_settings(SECRET_KEY=""):
        assert conf.settings.payload_limit
        assert not database_sink().payloads


def test_an_event_without_its_message_keeps_none() -> None:
    store(event(events.TASK_RECEIVED, 1.0), event(events.TASK_SENT, 0.5))
    assert TaskPayload.objects.count() == 0


def test_a_message_of_no_task_id_that_fits_is_still_found() -> None:
    long = "x" * 400
    store(received(1.0, task_id=long))
    row = TaskPayload.objects.get()
    assert row.task_id == TaskRecord.objects.get().task_id
    assert opened(row.task_id).body == b"[[],{},{}]"


def test_many_messages_are_stored_at_once() -> None:
    store(*(received(float(n), b"body %d" % n, task_id=f"t{n:04}") for n in range(1500)))
    assert TaskPayload.objects.count() == 1500
    assert opened("t0777").body == b"body 777"


def test_only_a_message_that_is_there_is_passed_over_and_no_other_error() -> None:
    row = PayloadRow("shop", "a", b"", None, 1.0)  # type: ignore[arg-type]  # no size
    with pytest.raises(IntegrityError), transaction.atomic():
        sql.upsert(connection, TaskPayload, sql.PAYLOADS, [row])


def test_a_retry_names_its_task_and_its_operation() -> None:
    message = events.Message(name="shop.charge", complete=True, retry_of="old", operation=7)
    store(event(events.TASK_SENT, 1.0, message=message))
    record = TaskRecord.objects.get()
    assert (record.retry_of, record.operation) == ("old", 7)
    later = events.Message(name="shop.charge", complete=True)
    store(event(events.TASK_SENT, 9.0, message=later, retries=1))
    record.refresh_from_db()
    assert (record.retry_of, record.operation) == ("old", 7)


@pytest.mark.parametrize("number", [0, -3, 2**63, 10**30])
def test_a_number_that_no_operation_has_is_left_out(number: int) -> None:
    message = events.Message(name="shop.charge", operation=number)
    store(event(events.TASK_SENT, 1.0, message=message))
    assert TaskRecord.objects.get().operation is None


def test_a_secret_in_the_reason_of_a_rejection_or_a_revocation_is_masked() -> None:
    why = "no password=hunter2"
    store(
        event(events.TASK_REJECTED, 1.0, detail=why),
        event(events.TASK_REVOKED, 1.0, task_id="b", detail=why),
    )
    masked = "no password=••••••"
    assert TaskRecord.objects.get(task_id="b").exception_message == masked
    assert set(TaskEvent.objects.values_list("detail", flat=True)) == {masked}


def test_shippers_that_store_the_same_messages_at_once_keep_one_of_each() -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("this database has one lock for all, and the tests' is in memory")
    errors: list[Exception] = []

    def ship(name: str, order: int) -> None:
        try:
            for begin in range(0, 200, 20):
                numbers = range(begin, begin + 20)[::order]
                found = [received(float(n), name.encode(), task_id=f"t{n:03}") for n in numbers]
                batch = [part(found)]
                while True:
                    try:
                        DatabaseSink().apply(batch)
                        break
                    except OperationalError:  # a deadlock over InnoDB's gaps; a shipper tries again
                        assert connection.vendor == "mysql"
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=ship, args=(name, order)) for name, order in (("x", 1), ("y", -1))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert TaskPayload.objects.count() == 200
    assert {opened(f"t{n:03}").body for n in range(200)} <= {b"x", b"y"}
    assert set(TaskRecord.objects.values_list("deliveries", flat=True)) == {2}
