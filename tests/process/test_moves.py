"""A thousand messages moved and moved back, on each broker: equal bytes, headers and priorities."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import celery
import pytest
from kombu import Producer

from example_project import environment
from tests.process.harness import servers
from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import unique_queue
from tests.process.harness.waiting import wait_until
from z4j_django import operations, wiring
from z4j_django.agent.discovery import Found
from z4j_django.control import queues
from z4j_django.exceptions import OperationError
from z4j_django.operations import peeking

pytestmark = pytest.mark.django_db
COUNT = 1_000
QUEUE = unique_queue()
OTHER = f"{QUEUE}.other"


@pytest.fixture(params=["redis", "rabbitmq", "filesystem"])
def app(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[celery.Celery]:
    """An app on a broker, with two queues of its own."""
    with servers.BROKERS[request.param](QUEUE) as url:
        made = celery.Celery("mover", set_as_current=False)
        made.conf.update(environment.broker(url, tmp_path))
        if request.param == "redis":
            options = made.conf.broker_transport_options
            made.conf.broker_transport_options = {**options, "global_keyprefix": f"{QUEUE}."}
        monkeypatch.setattr(wiring, "find_celery_app", lambda: Found(made, "tests:app"))
        with made.connection_for_write() as connection:
            for name in (QUEUE, OTHER):
                made.amqp.queues.select_add(name)
                made.amqp.queues[name](connection.default_channel).declare()
        yield made
        with made.connection_for_write() as connection:
            connection.default_channel.queue_delete(OTHER)
        made.close()


@pytest.fixture
def messages(app: celery.Celery) -> Callable[[str], list[Any]]:
    """All messages of a queue, with all that they say, in their order; they stay."""

    def call(name: str) -> list[Any]:
        with queues.Drain(app, name, 60) as drain:
            found = [one.original for one in drain.read(2 * COUNT)]
        wait_until(  # RabbitMQ has them back a moment later
            lambda: operations.count_messages(name) == len(found), PATIENCE, "all are back"
        )
        return [
            (one.body, one.content_type, one.content_encoding, told(one.headers), _kept(one))
            for one in found
        ]

    return call


def told(raw: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(raw))
    return found


def _kept(original: Any) -> dict[str, Any]:
    return {key: value for key, value in told(original.properties).items() if value is not None}


def in_order(app: celery.Celery, found: list[Any]) -> list[Any]:
    """As they lay, where the transport keeps an order: files of one millisecond have none."""
    is_files = app.connection_for_write().transport.driver_type == "filesystem"
    return sorted(found, key=lambda one: int(one[3]["n"])) if is_files else found


def publish(app: celery.Celery, count: int) -> None:
    """Of every kind, in three priorities, some compressed."""
    with app.connection_for_write() as connection:
        producer = Producer(connection.default_channel)
        for number in range(count):
            producer.publish(
                bytes(range(256)) if number % 7 == 0 else json.dumps([[number], {}, {}]).encode(),
                routing_key=QUEUE,
                content_type="application/octet-stream" if number % 7 == 0 else "application/json",
                content_encoding="binary" if number % 7 == 0 else "utf-8",
                compression="zlib" if number % 5 == 0 else None,
                headers={"id": f"{QUEUE}-{number}", "task": "send", "lang": "py", "n": number},
                correlation_id=f"{number}",
                reply_to="somebody",
                priority=(0, 3, 9)[number % 3],
            )


def test_what_was_moved_is_the_same_there_and_when_it_is_back(
    app: celery.Celery, messages: Callable[[str], list[Any]]
) -> None:
    publish(app, COUNT)
    before = in_order(app, messages(QUEUE))
    assert len(before) == COUNT

    moved = operations.move_queue(QUEUE, actor="tests", to=OTHER)
    assert moved.targets.get(position=0).reason == f"All {COUNT:,} messages were moved."
    assert operations.count_messages(QUEUE) == 0
    assert in_order(app, messages(OTHER)) == before
    restored = operations.restore(moved.pk, actor="tests")
    assert restored.targets.get(position=0).reason == f"All {COUNT:,} messages were put back."
    assert operations.count_messages(OTHER) == 0
    assert in_order(app, messages(QUEUE)) == before


def test_a_look_takes_nothing_out_or_says_why_there_is_none(
    app: celery.Celery, messages: Callable[[str], list[Any]]
) -> None:
    publish(app, 60)
    before = messages(QUEUE)
    if app.connection_for_write().transport.driver_type == "amqp":
        with pytest.raises(OperationError, match="to those alone who take them"):
            peeking.peek(QUEUE, actor="tests")
    else:
        found = peeking.peek(QUEUE, actor="tests")
        assert [one.task_id for one in found] == [one[3]["id"] for one in before[:50]]
    assert messages(QUEUE) == before


def test_a_queue_that_the_broker_does_not_have_takes_nothing(app: celery.Celery) -> None:
    if app.connection_for_write().transport.driver_type != "amqp":
        pytest.skip("other transports make a queue of whatever name")
    publish(app, 1)
    with pytest.raises(OperationError, match="The broker has no queue 'nowhere"):
        operations.move_queue(QUEUE, actor="tests", to="nowhere at all")
    assert operations.count_messages(QUEUE) == 1
