"""Messages as they were delivered. Requests are Celery's own, over kombu's memory transport."""

from __future__ import annotations

import datetime
import decimal
import json
import pickle
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, signals
from celery.worker.request import Request
from celery.worker.strategy import proto1_to_proto2
from kombu import Message

from tests.recording import Recorder, recording
from tests.sinks import MemorySink
from z4j_django.agent import encoding, events, journal, originals, shipper
from z4j_django.agent.sampling import Sampling
from z4j_django.agent.task_signals import TaskSignals

MEGABYTE = 1024**2

app = Celery("originals", broker="memory://", set_as_current=False)


@app.task(name="shop.add", shared=False)
def add(first: object, second: object = 0) -> None:
    pass


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    sampling = Sampling({"shop.tick": 0.0})
    with recording(partial(TaskSignals, sampling=sampling, payload_limit=4096)) as found:
        app.set_current()
        yield found


def delivered(name: str = "shop.add", by: Celery = app, **options: Any) -> Message:
    """Publish a task, and take its message from the queue."""
    by.send_task(name, queue="originals", **options)
    with app.connection_for_read() as connection:
        message = app.amqp.queues["originals"](connection.default_channel).get()
    assert message is not None
    message.accept = {"application/json", "application/x-python-serialize"}
    return message


def received(message: Message, **options: Any) -> Request:
    """Have a worker receive it."""
    request = Request(message, app=app, task=app.tasks["shop.add"], hostname="w1", **options)
    signals.task_received.send(sender=None, request=request)
    return request


def original_of(recorder: Recorder) -> events.Original:
    assert recorder.losses == []
    event = recorder.events[-1]
    assert isinstance(event, events.TaskEvent)
    assert event.kind == events.TASK_RECEIVED
    assert event.original is not None
    [found], _ = events.decode(events.encode(event))
    assert isinstance(found, events.TaskEvent)
    assert found.original is not None
    return found.original


def test_a_receipt_carries_the_message_as_it_was_delivered(recorder: Recorder) -> None:
    message = delivered(
        args=(1,), kwargs={"second": 2}, task_id="a", priority=7, reply_to="answers", time_limit=60
    )
    received(message)
    original = original_of(recorder)
    assert (original.size, original.body) == (len(message.body), message.body)
    assert json.loads(original.body)[:2] == [[1], {"second": 2}]
    assert (original.content_type, original.content_encoding) == ("application/json", "utf-8")
    assert (original.exchange, original.routing_key) == ("", "originals")
    headers = json.loads(bytes(original.headers))
    assert headers == {name: value for name, value in message.headers.items() if name != "z4j"}
    assert (headers["id"], headers["timelimit"]) == ("a", [60, None])
    assert json.loads(bytes(original.properties)) == {
        "correlation_id": "a",
        "reply_to": "answers",
        "delivery_mode": 2,
        "priority": 7,
    }
    assert list(original.left_out) == []


def test_a_body_of_any_serializer_is_kept_and_never_decoded(recorder: Recorder) -> None:
    message = delivered(args=({1, 2},), serializer="pickle")
    request = Request(message, app=app, task=app.tasks["shop.add"], hostname="w1")
    message._decoded_cache = None
    message.accept = {"application/json"}  # whoever decodes it from here on is refused
    signals.task_received.send(sender=None, request=request)
    original = original_of(recorder)
    assert original.content_type == "application/x-python-serialize"
    assert original.body == message.body
    assert pickle.loads(original.body)[0] == ({1, 2},)


def test_a_compressed_body_is_kept_uncompressed_with_its_method(recorder: Recorder) -> None:
    message = delivered(args=("x" * 1000,), compression="zlib")
    received(message)
    original = original_of(recorder)
    assert json.loads(original.body)[0] == ["x" * 1000]
    assert json.loads(bytes(original.headers))["compression"] == "application/x-gzip"
    assert zlib.decompress(zlib.compress(original.body)) == message.body


def test_a_message_of_protocol_one_is_kept(recorder: Recorder) -> None:
    old = Celery("old", broker="memory://", set_as_current=False)
    old.conf.task_protocol = 1
    message = delivered(args=(1,), task_id="old", by=old)
    body, headers, decoded, utc = proto1_to_proto2(message, message.decode())
    received(message, body=body, headers=headers, decoded=decoded, utc=utc)
    original = original_of(recorder)
    assert json.loads(original.body)["id"] == "old"
    assert original.body == message.body
    assert json.loads(bytes(original.headers)) == {}


def test_stamps_are_kept(recorder: Recorder) -> None:
    signature = add.s(1)
    signature.stamp(customer="c-7")
    signature.apply_async(queue="originals")
    with app.connection_for_read() as connection:
        message = app.amqp.queues["originals"](connection.default_channel).get()
    received(message)
    headers = json.loads(bytes(original_of(recorder).headers))
    assert (headers["stamps"], headers["stamped_headers"]) == ({"customer": "c-7"}, ["customer"])


def test_of_a_body_over_the_limit_only_the_size_is_kept(recorder: Recorder) -> None:
    message = delivered(args=("x" * 5000,))
    received(message)
    original = original_of(recorder)
    assert (original.size, original.body) == (len(message.body), b"")
    assert json.loads(bytes(original.headers))["task"] == "shop.add"


@pytest.mark.parametrize("limit", [None, 0])
def test_without_a_limit_no_message_is_kept(recorder: Recorder, limit: int | None) -> None:
    handlers = TaskSignals(recorder, payload_limit=limit)
    message = delivered()
    handlers.task_received(
        sender=None, request=Request(message, app=app, task=app.tasks["shop.add"], hostname="w1")
    )
    event = recorder.events[-1]
    assert isinstance(event, events.TaskEvent)
    assert (event.kind, event.original) == (events.TASK_RECEIVED, None)


def test_of_noise_no_message_is_kept(recorder: Recorder) -> None:
    received(delivered("shop.tick"))
    assert recorder.events == []


def test_each_delivery_is_kept_anew(recorder: Recorder) -> None:
    message = delivered(args=(1,))
    received(message)
    received(message)
    first, second = [
        event.original for event in recorder.events if event.kind == events.TASK_RECEIVED
    ]  # type: ignore[union-attr]
    assert first == second is not None


def message_of(body: Any = b"{}", **fields: Any) -> Message:
    message = Message(delivery_info={"exchange": "", "routing_key": "mail"}, **fields)
    message.body = body
    return message


def test_headers_that_json_cannot_hold_exactly_are_left_out_and_named() -> None:
    message = message_of(
        headers={
            "id": "a",
            "at": datetime.datetime(2026, 11, 21),
            "raw": b"\xff",
            "price": decimal.Decimal("1.10"),
            "deep": {"list": [1, {"raw": b""}]},
            "name": "caf\udce9",
            "big": 2**70,
            7: "a number",
            "kept": {"list": [1, 2.5, None, "ä"]},
        },
        properties={"timestamp": datetime.datetime(2026, 11, 21), "expiration": "1000"},
    )
    original = originals.original(message, 100)
    assert original is not None
    assert json.loads(bytes(original.headers)) == {
        "id": "a",
        "kept": {"list": [1, 2.5, None, "ä"]},
    }
    assert json.loads(bytes(original.properties)) == {"expiration": "1000"}
    assert list(original.left_out) == [
        *("at", "raw", "price", "deep", "name", "big", "…"),
        "timestamp",
    ]


def test_headers_without_bounds_take_bounded_room() -> None:
    headers: dict[str, Any] = {f"header {n}" * 10: "x" * 1000 for n in range(100_000)}
    headers = {"huge": "x" * (20 * MEGABYTE), "y" * (20 * MEGABYTE): 1, **headers}
    original = originals.original(message_of(headers=headers), 100)
    assert original is not None
    assert len(original.headers) < 2 * originals.ROOM
    assert original.left_out[0] == "huge"
    assert len(original.left_out) <= encoding.MEMBERS
    assert len(events.encode(event_with(original))) < 4 * originals.ROOM


def test_headers_of_a_kind_that_lies_in_wait_are_read_without_its_code() -> None:
    class Headers(dict[str, Any]):
        def __iter__(self) -> Any:
            raise AssertionError("the mapping's own code ran")

        keys = items = copy = __iter__  # type: ignore[assignment]

    message = message_of()
    message.headers = Headers(id="a", z4j={"at": 1.0})
    original = originals.original(message, 100)
    assert original is not None
    assert bytes(original.headers) == b'{"id":"a"}'


def test_a_header_whose_name_lies_in_wait_is_left_out_without_its_code() -> None:
    class Name(str):
        asked = 0

        def __hash__(self) -> int:
            Name.asked += 1
            return super().__hash__()

    message = message_of(headers={Name("odd"): 1, "id": "a"})
    Name.asked = 0
    original = originals.original(message, 100)
    assert original is not None
    assert (bytes(original.headers), list(original.left_out)) == (b'{"id":"a"}', ["odd"])
    assert Name.asked == 0


@pytest.mark.parametrize(
    ("body", "encoding_name", "expected"),
    [
        ("ä", "utf-8", "ä".encode()),  # py-amqp decodes what says its encoding
        ("ä", "latin-1", b"\xe4"),
        (bytearray(b"x"), "binary", b"x"),
        (memoryview(b"x"), "binary", b"x"),
    ],
)
def test_a_body_is_kept_as_bytes_in_whatever_form_it_comes(
    body: Any, encoding_name: str, expected: bytes
) -> None:
    original = originals.original(message_of(body, content_encoding=encoding_name), 100)
    assert original is not None
    assert (original.size, original.body) == (len(expected), expected)


@pytest.mark.parametrize("body", ["x" * 101, b"x" * 101, memoryview(b"x" * 101)])
def test_a_large_body_is_not_copied_in_whatever_form_it_comes(body: Any) -> None:
    original = originals.original(message_of(body, content_encoding="utf-8"), 100)
    assert original is not None
    assert (original.size, original.body) == (101, b"")


@pytest.mark.parametrize("body", [None, ([], {}, {}), "ä"])
def test_a_body_in_no_form_that_a_broker_delivers_leaves_no_original(body: Any) -> None:
    assert originals.original(message_of(body, content_encoding="no such codec"), 100) is None


def event_with(original: events.Original, task_id: str = "a") -> events.TaskEvent:
    return events.TaskEvent(kind=events.TASK_RECEIVED, task_id=task_id, at=1.0, original=original)


@pytest.mark.parametrize("size", [MEGABYTE, 16 * MEGABYTE])
def test_large_originals_pass_the_journal_and_the_shipper(tmp_path: Path, size: int) -> None:
    original = events.Original(size=size, body=bytes(range(256)) * (size // 256))
    writer, sink = journal.Journal(tmp_path / "journal", "shop"), MemorySink()
    for task_id in ("a", "b", "c"):
        writer.write(events.encode(event_with(original, task_id)))
        writer.write(events.encode(event_with(events.Original(size=2, body=b"{}"), "small")))
    ship = shipper.Shipper(tmp_path / "journal", sink)
    assert ship.drain(60.0)
    writer.close()
    assert ship.drain(60.0)
    ship.close()
    assert sorted(sink.ids) == ["a", "b", "c", "small", "small", "small"]
    assert event_with(original, "c") in sink.events
    assert journal.segments(tmp_path / "journal") == []


def test_a_large_poisoned_event_is_set_aside_and_its_neighbours_are_stored(tmp_path: Path) -> None:
    original = events.Original(size=16 * MEGABYTE, body=b"x" * (16 * MEGABYTE))
    writer, sink = journal.Journal(tmp_path / "journal", "shop"), MemorySink()
    for task_id in ("before", "POISON", "after"):
        writer.write(events.encode(event_with(original, task_id)))
    writer.close()
    sink.poison = b"POISON"
    ship = shipper.Shipper(tmp_path / "journal", sink)
    assert ship.drain(60.0)
    ship.close()
    assert sink.ids == ["before", "after"]
    losses = [event for event in sink.events if isinstance(event, events.LossEvent)]
    assert [(loss.reason, loss.count) for loss in losses] == [(events.UNSTORABLE, 1)]
