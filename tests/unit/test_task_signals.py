"""Celery's signals, turned into events. Real workers are in ``tests/process``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import billiard
import pytest
from celery import Celery, Task
from celery.app.trace import build_tracer
from celery.exceptions import Retry
from celery.signals import after_task_publish, before_task_publish, task_received
from celery.worker import state
from celery.worker.request import Request
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError
from kombu.transport.native_delayed_delivery import calculate_routing_key

from tests.messages import taken
from tests.recording import Recorder, recording
from z4j_django.agent import events, messages

app = Celery("capture", broker="memory://", backend="cache+memory://", set_as_current=False)


@app.task
def add(first: int, second: int = 0) -> int:
    return first + second


@app.task
def boom() -> None:
    raise ValueError("no such order")


@app.task(bind=True)
def again(self: Task, why: str | None = None) -> str:
    if not self.request.retries:
        raise self.retry(countdown=0) if why is None else Retry(why)
    return "the second time"


class Halt(BaseException):
    """Not for Celery to catch."""


class GreenletExit(BaseException):
    """As greenlet's, by which gevent and eventlet kill."""


@app.task
def leave(how: str) -> None:
    raise {"exit": SystemExit(3), "halt": Halt("now"), "killed": GreenletExit()}[how]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as found, app.connection_for_write():
        app.set_current()
        yield found


def sent(task: Task, *args: Any, **options: Any) -> None:
    task.apply_async(args, **options)


def test_a_publish_is_one_event_with_the_messages_facts(recorder: Recorder) -> None:
    sent(add, 1, kwargs={"second": 2}, queue="mail", priority=7, countdown=60, task_id="a")
    [event] = recorder.events
    assert isinstance(event, events.TaskEvent)
    assert (event.kind, event.task_id, event.retries) == (events.TASK_SENT, "a", 0)
    message = event.message
    assert message is not None
    assert (message.name, message.queue, message.priority) == (add.name, "mail", 7)
    assert (bytes(message.args), bytes(message.kwargs)) == (b"[1]", b'{"second":2}')
    assert (message.params, message.complete) == (("first",), True)
    assert (message.root_id, message.parent_id) == ("a", "")
    assert message.eta


def test_a_publish_stamps_its_time_on_the_message(recorder: Recorder) -> None:
    seen: dict[str, Any] = {}

    def look(headers: dict[str, Any], **kwargs: Any) -> None:
        seen.update(headers)

    after_task_publish.connect(look)
    sent(add, 1)
    after_task_publish.disconnect(look)
    assert seen["z4j"] == {"at": recorder.events[0].at, "chosen": {}}


def stamped(value: object) -> Any:
    """The stamp of a message that its publisher gave one before."""
    seen: list[Any] = []

    def look(headers: dict[str, Any], **kwargs: Any) -> None:
        seen.append(headers["z4j"])

    after_task_publish.connect(look)
    add.apply_async((1,), headers={"z4j": value})
    after_task_publish.disconnect(look)
    return seen[0]


def test_a_publish_keeps_what_its_message_says_of_its_origin(recorder: Recorder) -> None:
    given = {"retry_of": "a", "operation": 7, "at": 1.0, "received": 2.0, "keep": "nothing"}
    stamp = stamped(given)
    [event] = recorder.events
    assert isinstance(event, events.TaskEvent)
    assert event.message is not None
    assert (event.message.retry_of, event.message.operation) == ("a", 7)
    assert stamp == {"at": event.at, "retry_of": "a", "operation": 7, "chosen": {}}


@pytest.mark.parametrize(
    "value", [{"retry_of": 1.5, "operation": "7"}, {"operation": True}, {"operation": 2**63}, "x"]
)
def test_an_origin_that_is_none_is_left_out(recorder: Recorder, value: object) -> None:
    stamp = stamped(value)
    [event] = recorder.events
    assert isinstance(event, events.TaskEvent)
    assert event.message is not None
    assert (event.message.retry_of, event.message.operation) == ("", None)
    assert stamp == {"at": event.at, "chosen": {}}


def test_a_delivery_tells_its_origin() -> None:
    stamp = {"at": 1.0, "retry_of": "x" * 5000, "operation": 7}
    headers = {"id": "b", "task": "shop.add", "z4j": stamp}
    event = messages.delivered(events.TASK_RECEIVED, headers, {}, at=2.0)
    assert event.message is not None
    assert (event.message.retry_of, event.message.operation) == ("x" * messages.TEXT, 7)


def test_a_publish_that_raises_leaves_no_record(recorder: Recorder) -> None:
    away = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    with pytest.raises(OperationalError):
        away.send_task("shop.add", (1,), retry=False)
    assert recorder.events == []
    sent(add, 1)
    assert recorder.kinds == [events.TASK_SENT]
    assert recorder.losses == []


@pytest.mark.parametrize("inner_id", ["inner", "outer"])
def test_a_publish_inside_a_publish_leaves_both_on_record(
    recorder: Recorder, inner_id: str
) -> None:
    def audit(sender: str, **kwargs: Any) -> None:
        if sender == add.name:
            boom.apply_async(task_id=inner_id)

    before_task_publish.connect(audit)
    sent(add, 1, task_id="outer")
    before_task_publish.disconnect(audit)
    assert recorder.losses == []
    assert [(event.task_id, event.name) for event in recorder.events] == [
        (inner_id, boom.name),
        ("outer", add.name),
    ]


def test_arguments_are_on_record_though_the_publisher_could_not_record_them(
    recorder: Recorder,
) -> None:
    recorder.failing = True
    sent(add, 1, kwargs={"second": 2}, queue="arguments")
    recorder.failing = False
    [message] = taken("arguments")
    task_received.send(sender=app, request=Request(message, app=app, headers=message.headers))
    [event] = recorder.events
    assert isinstance(event, events.TaskEvent)
    assert event.message is not None
    assert (bytes(event.message.args), bytes(event.message.kwargs)) == (b"[1]", b'{"second":2}')


def test_a_delayed_message_is_on_record_with_its_queue(recorder: Recorder) -> None:
    letters = Queue("letters", Exchange("mail", type="topic"), routing_key="letter")
    app.amqp.queues.add(letters)
    key = calculate_routing_key(60, "letter")
    add.apply_async((1,), exchange=Exchange("celery_delayed_27", type="topic"), routing_key=key)
    headers = {"id": "b", "task": add.name}
    delivery = {"exchange": "celery_delayed_delivery", "routing_key": key}
    received = messages.delivered(events.TASK_RECEIVED, headers, delivery, at=2.0)
    del app.amqp.queues["letters"]
    [event] = recorder.events
    assert isinstance(event, events.TaskEvent)
    sent, taken = event.message, received.message
    assert sent is not None
    assert taken is not None
    assert (sent.queue, sent.exchange, sent.routing_key) == ("letters", "celery_delayed_27", key)
    assert (taken.queue, taken.exchange) == ("letters", "celery_delayed_delivery")


@pytest.mark.parametrize(
    ("kind", "routing_key", "queue"),
    [
        ("topic", "letter", "post"),
        ("topic", "parcel.de", "parcels"),
        ("topic", "stamps", ""),
        ("direct", "parcel.de", ""),
        ("fanout", "whatever", "post"),
    ],
)
def test_the_queue_of_a_publish_is_where_its_key_leads(
    recorder: Recorder, kind: str, routing_key: str, queue: str
) -> None:
    """Celery declares the default queue, or the one of the route, whatever the key is."""
    mail = Exchange(f"mail-{kind}", type=kind)
    post = Queue("post", mail, routing_key="letter")
    app.amqp.queues.add(Queue("parcels", mail, routing_key="parcel.#"))
    add.apply_async((1,), queue=post, exchange=mail.name, routing_key=routing_key)
    del app.amqp.queues["parcels"]
    [event] = recorder.events
    assert isinstance(event, events.TaskEvent)
    assert event.message is not None
    assert event.message.queue == queue


def test_protocol_one_is_understood(recorder: Recorder) -> None:
    old = Celery("old", broker="memory://", set_as_current=False)
    old.conf.task_protocol = 1
    old.send_task("shop.add", (1,), task_id="old", queue="mail")
    [event] = recorder.events
    assert isinstance(event, events.TaskEvent)
    assert (event.task_id, event.message and event.message.name) == ("old", "shop.add")


def test_a_run_tells_the_queue_that_its_message_came_from(recorder: Recorder) -> None:
    sent(add, 1, queue="letters")
    [message] = taken("letters")
    request = Request(message, app=app, headers=message.headers, hostname="w@h")
    request.execute()
    assert [(one.kind, one.queue) for one in recorder.events[1:]] == [
        (events.TASK_STARTED, "letters"),
        (events.TASK_SUCCEEDED, "letters"),
    ]


def test_an_eager_task_starts_and_ends_on_record(recorder: Recorder) -> None:
    add.apply((1, 2))
    started, ended = recorder.events
    assert isinstance(started, events.TaskEvent)
    assert isinstance(ended, events.TaskEvent)
    assert (started.kind, ended.kind) == (events.TASK_STARTED, events.TASK_SUCCEEDED)
    assert bytes(ended.result) == b"3"
    assert ended.runtime is not None
    assert started.message is not None
    assert bytes(started.message.args) == b"[1,2]"
    assert (started.worker, started.at <= ended.at) == ("", True)


def test_an_eager_failure_is_on_record_once(recorder: Recorder) -> None:
    boom.apply()
    assert recorder.kinds == [events.TASK_STARTED, events.TASK_FAILED]
    failure = recorder.events[1].failure  # type: ignore[union-attr]
    assert failure is not None
    assert (failure.type, failure.message) == ("ValueError", "no such order")


@pytest.mark.parametrize("why", [None, "the till is shut"])
def test_a_retry_that_the_task_asked_for_is_not_told_as_cancelled(
    recorder: Recorder, why: str | None
) -> None:
    trace = build_tracer(again.name, app.tasks[again.name], app=app)
    trace("a", (why,), {}, {"id": "a", "hostname": "w1@host", "delivery_info": {}})
    [retry] = [event for event in recorder.events if event.kind == events.TASK_RETRY]
    assert isinstance(retry, events.TaskEvent)
    assert (retry.failure, retry.detail) == (None, why or "")


def run_to_its_exit(how: str) -> None:
    """Run ``leave`` as a pool without child processes does."""
    trace = build_tracer(leave.name, app.tasks[leave.name], app=app)
    request = {"id": "a", "hostname": "w1@host", "retries": 0, "delivery_info": {}}
    with pytest.raises(BaseException):  # noqa: B017, PT011  # whichever it is
        trace("a", (how,), {}, request)


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [("exit", "SystemExit", "3"), ("halt", "Halt", "now"), ("killed", "GreenletExit", "")],
)
def test_an_exit_that_celery_lets_pass_is_an_end(
    recorder: Recorder, how: str, kind: str, message: str
) -> None:
    run_to_its_exit(how)
    assert recorder.kinds == [events.TASK_STARTED, events.TASK_FAILED]
    failure = recorder.events[1].failure  # type: ignore[union-attr]
    assert failure is not None
    assert (failure.type, failure.message) == (kind, message)
    assert ", in leave\n" in failure.traceback
    assert failure.traceback.endswith(f"\n{kind}: {message}".removesuffix(": "))


def test_an_exit_in_a_child_of_a_pool_of_processes_is_told_by_its_parent(
    recorder: Recorder,
) -> None:
    def run() -> None:
        run_to_its_exit("exit")
        os._exit(0 if recorder.kinds == [events.TASK_STARTED] else 1)

    child = billiard.Process(target=run)
    child.start()
    child.join()
    assert child.exitcode == 0


def test_a_green_thread_that_was_terminated_is_told_as_revoked(recorder: Recorder) -> None:
    state.revoked.add("a")
    run_to_its_exit("killed")
    state.revoked.discard("a")
    assert recorder.kinds == [events.TASK_STARTED]


def test_an_eager_exit_is_an_end(recorder: Recorder) -> None:
    with pytest.raises(SystemExit):
        leave.apply(("exit",))
    assert recorder.kinds == [events.TASK_STARTED, events.TASK_FAILED]


def test_a_recorder_that_fails_harms_no_task_and_is_told(recorder: Recorder) -> None:
    recorder.failing = True
    sent(add, 1)
    assert add.apply((1, 2)).result == 3
    assert boom.apply().state == "FAILURE"
    assert len(recorder.losses) == 5
    assert recorder.events == []


def test_a_process_that_does_not_record_stamps_nothing(recorder: Recorder) -> None:
    recorder.wanted = False
    seen: list[dict[str, Any]] = []

    def look(headers: dict[str, Any], **kwargs: Any) -> None:
        seen.append(dict(headers))

    after_task_publish.connect(look)
    sent(add, 1)
    after_task_publish.disconnect(look)
    assert recorder.events == []
    assert "z4j" not in seen[0]


@pytest.mark.parametrize("header", ["root_id", "parent_id", "group", "group_index", "retries"])
@pytest.mark.parametrize("value", [{"a": 1}, ["x"], 2**80, "x" * 100_000, 1.5])
def test_hostile_headers_make_an_event_that_can_be_read(
    recorder: Recorder, header: str, value: object
) -> None:
    headers = {"id": "a", "task": "shop.add", header: value}
    place = {"exchange": "", "routing_key": "mail"}
    before_task_publish.send(
        sender="shop.add", body=((), {}, {}), headers=headers, properties={}, **place
    )
    after_task_publish.send(sender="shop.add", body=((), {}, {}), headers=headers, **place)
    assert recorder.losses == []
    [event] = recorder.events
    line = events.encode(event)
    assert len(line) < 10_000
    assert events.decode(line)[1] == 0
