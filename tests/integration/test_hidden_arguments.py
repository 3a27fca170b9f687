"""Arguments that their publisher hid, with ``argsrepr`` or ``kwargsrepr``, are shown nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import celery
import kombu
import pytest

from tests import messages as broker
from tests.integration import api_client, operators
from tests.integration.pages import page, text
from tests.integration.test_writer import store
from tests.recording import Recorder, recording
from z4j_django import operations
from z4j_django.agent import events, messages
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, TaskRecord
from z4j_django.secrets.masking import MASK

pytestmark = pytest.mark.django_db(transaction=True)

CARD, PIN = "my-card", 4711
CHOSEN = "{'card': '**** 5678', 'amount': 7}"
SHOWN = {"args": [f"{MASK} (<pin>)"], "kwargs": {MASK: CHOSEN}}


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as found:
        yield found


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, queue: str) -> celery.Celery:
    app = operators.broker_in_memory(monkeypatch)
    app.conf.task_default_queue = queue
    app.set_current()

    @app.task(name="shop.pay", shared=False)
    def pay(pin: int, card: str = "", amount: int = 0) -> None: ...

    return app


def published(app: celery.Celery, recorder: Recorder, **options: Any) -> kombu.Message:
    """A task whose arguments are hidden, on record and in its queue."""
    app.tasks["shop.pay"].apply_async(
        (PIN,), {"card": CARD, "amount": 7}, argsrepr="(<pin>)", kwargsrepr=CHOSEN, **options
    )
    store(*recorder.events)
    [message] = broker.taken(app.conf.task_default_queue)
    return message


def kept(message: kombu.Message) -> TaskRecord:
    """Its record, once it has failed and its message is kept."""
    task_id = message.headers["id"]
    record = TaskRecord.objects.get(task_id=task_id)
    TaskRecord.objects.filter(pk=record.pk).update(state="FAILURE", project=settings.PROJECT)
    record.refresh_from_db()
    operators.keep_original(record, broker.original_of(message))
    return record


def received(message: kombu.Message, **stamp: Any) -> events.TaskEvent:
    """The receipt of a message, as a worker records it."""
    args, kwargs, embed = message.decode()
    headers = {**message.headers, "z4j": stamp}
    return messages.delivered(
        events.TASK_RECEIVED, headers, {}, at=2e9, stamped=stamp, content=(args, kwargs, embed)
    )


def test_the_record_has_what_the_publisher_chose(app: celery.Celery, recorder: Recorder) -> None:
    message = published(app, recorder)
    journal = b"".join(map(events.encode, recorder.events)).decode()
    assert CARD not in journal
    assert str(PIN) not in journal.replace(message.headers["id"], "")
    assert TaskRecord.objects.values("args", "kwargs").get() == SHOWN
    assert set(message.headers["z4j"]["chosen"]) == {"argsrepr", "kwargsrepr"}
    assert message.decode()[:2] == [[PIN], {"card": CARD, "amount": 7}]


def test_without_a_publish_on_record_the_workers_copy_decides(
    app: celery.Celery, recorder: Recorder
) -> None:
    message = published(app, recorder)
    TaskRecord.objects.all().delete()
    store(received(message))
    assert TaskRecord.objects.values("args", "kwargs").get() == SHOWN


def test_one_side_may_be_hidden_alone(app: celery.Celery, recorder: Recorder) -> None:
    app.tasks["shop.pay"].apply_async((1,), {"amount": 7}, argsrepr="(***)")
    store(*recorder.events)
    record = TaskRecord.objects.get()
    assert (record.args, record.kwargs) == ([f"{MASK} (***)"], {"amount": 7})


def test_the_next_attempt_hides_them_too(app: celery.Celery, recorder: Recorder) -> None:
    stamp = published(app, recorder).headers["z4j"]
    recorder.events.clear()
    # As Task.retry() does: the header goes along, and Celery writes the reprs anew.
    app.tasks["shop.pay"].apply_async((PIN,), {"card": CARD}, headers={"z4j": stamp}, retries=1)
    [event] = recorder.events
    assert isinstance(event, events.TaskEvent)
    assert event.message is not None
    assert (event.message.argsrepr, event.message.kwargsrepr) == ("(<pin>)", CHOSEN)
    assert (event.message.args, event.message.kwargs) == (events.NULL, events.NULL)


def test_no_surface_shows_or_finds_them(
    app: celery.Celery, recorder: Recorder, admin_client: Any, api: Any
) -> None:
    record = kept(published(app, recorder))
    detail = api_client.body(api.get(api_client.address("tasks", record.task_id)))
    assert {name: detail[name] for name in SHOWN} == SHOWN
    shown = [text(admin_client.get(page(record)))]
    shown.append(text(admin_client.get(operators.address("taskrecord_edit", record.pk))))
    for kind in ("csv", "ndjson"):
        response = api.get(f"{api_client.ROOT}tasks.{kind}", {"fields": "task_id,args,kwargs"})
        shown.append(b"".join(response.streaming_content).decode())
    for one in shown:
        assert "**** 5678" in one
        assert CARD not in one
        assert str(PIN) not in one.replace(record.task_id, "")
    operators.kept("open", PIN, kwargs={"card": CARD, "amount": 7})
    for term in (f"kwargs.card:{CARD}", "kwargs.amount:7", f"args.0:{PIN}"):
        found = api_client.body(api.get(api_client.address("tasks"), {"q": term}))
        assert [task["task_id"] for task in found["results"]] == ["open"], term


def test_a_retry_sends_them_and_hides_them_again(app: celery.Celery, recorder: Recorder) -> None:
    first = published(app, recorder)
    target = operations.retry(kept(first).task_id, actor="a test").targets.get()
    assert target.outcome == "done"
    [again] = broker.taken(app.conf.task_default_queue)
    assert again.body == first.body
    store(received(again, **again.headers["z4j"]))
    retried = TaskRecord.objects.values("args", "kwargs").get(task_id=target.result_id)
    assert retried == SHOWN


def test_others_in_their_place_are_hidden_too(app: celery.Celery, recorder: Recorder) -> None:
    record = kept(published(app, recorder))
    given = {"card": "another-card", "amount": 8}
    target = operations.retry(record.task_id, actor="a test", kwargs=given).targets.get()
    assert target.outcome == "done"
    [again] = broker.taken(app.conf.task_default_queue)
    assert again.decode()[:2] == [[PIN], given]
    assert (again.headers["argsrepr"], again.headers["kwargsrepr"]) == ("(<pin>)", MASK)
    store(received(again, **again.headers["z4j"]))
    retried = TaskRecord.objects.get(task_id=target.result_id)
    assert (retried.args, retried.kwargs) == (SHOWN["args"], {MASK: MASK})
    assert "another-card" not in json.dumps(Operation.objects.get().parameters)


@pytest.mark.parametrize("given", [{"args": SHOWN["args"]}, {"kwargs": SHOWN["kwargs"]}])
def test_what_is_shown_in_their_place_is_no_value(given: dict[str, Any]) -> None:
    operators.kept("a")
    with pytest.raises(OperationError, match="masked or cut"):
        operations.retry("a", actor="a test", **given)
