"""Raw messages on real brokers: confirmed where that can be, and never silently dropped."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from typing import Any

import celery
import kombu
import pytest

from tests.process.harness import servers
from tests.process.harness.scene import unique_queue
from tests.process.harness.waiting import wait_until
from z4j_django.broker import size
from z4j_django.control import publishing, workflow_publishing
from z4j_django.exceptions import OperationError
from z4j_django.operations import workflow

RAW = publishing.Raw(
    body=b"[[1], {}, {}]",
    content_type="application/json",
    content_encoding="utf-8",
    headers={"id": "x", "task": "add"},
    properties={"correlation_id": "x", "priority": 4, "delivery_mode": 2},
)


class Broker:
    """An app on a broker, with a queue of its own."""

    def __init__(self, url: str, queue: str) -> None:
        self.queue = queue
        self.app = celery.Celery("test", broker=url, set_as_current=False)
        self.app.conf.task_default_queue = queue
        if url.startswith("redis"):
            self.app.conf.broker_transport_options = {"global_keyprefix": f"{queue}."}

    def publish(self, **where: Any) -> None:
        publishing.publish(self.app, RAW, timeout=10, **where)

    def get(self, queue: str) -> list[kombu.Message]:
        with self.app.connection_for_read() as connection:
            bound = kombu.Queue(queue)(connection.channel())
            return list(iter(lambda: bound.get(no_ack=True), None))


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    queue = unique_queue()
    with servers.BROKERS[request.param](queue) as url:
        assert url is not None
        yield Broker(url, queue)


@pytest.fixture
def rabbitmq() -> Iterator[Broker]:
    queue = unique_queue()
    with servers.rabbitmq(queue) as url:
        yield Broker(url, queue)


def test_a_known_queue_is_declared_before(broker: Broker) -> None:
    broker.publish(routing_key=broker.queue)
    [message] = broker.get(broker.queue)
    assert (message.headers, message.properties["priority"]) == (RAW.headers, 4)
    assert message.properties["correlation_id"] == "x"


def test_a_queue_of_the_name_is_made_where_one_was_asked_for(broker: Broker) -> None:
    broker.publish(queue=broker.queue)
    assert len(broker.get(broker.queue)) == 1


def test_an_exchange_that_no_queue_hears_is_refused(broker: Broker) -> None:
    with broker.app.connection_for_write() as connection:
        exchange = kombu.Exchange(broker.queue, "direct", auto_delete=True)
        bound = kombu.Queue(broker.queue, exchange, "another key", auto_delete=True)
        bound(connection.channel()).declare()
    with pytest.raises(OperationError, match="nothing was published"):
        broker.publish(exchange=broker.queue, routing_key="the key")


def test_an_exchange_that_is_gone_is_refused(broker: Broker) -> None:
    with pytest.raises(OperationError, match="nothing was published"):
        broker.publish(exchange=f"gone-{uuid.uuid4()}", routing_key="key")


def test_rabbitmq_is_asked_whether_a_queue_took_it(rabbitmq: Broker) -> None:
    with pytest.raises(OperationError, match="no queue of the name 'gone-"):
        rabbitmq.publish(routing_key=f"gone-{uuid.uuid4()}")


def test_a_queue_that_is_full_is_told(rabbitmq: Broker) -> None:
    full = kombu.Queue(
        rabbitmq.queue,
        queue_arguments={"x-max-length": 1, "x-overflow": "reject-publish"},
    )
    rabbitmq.app.conf.task_queues = [full]
    rabbitmq.publish(queue=rabbitmq.queue)
    with pytest.raises(OperationError, match="did not take it"):
        rabbitmq.publish(queue=rabbitmq.queue)
    assert len(rabbitmq.get(rabbitmq.queue)) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-queue-type": "quorum"},
        {"x-max-priority": 10},
        {"x-message-ttl": 600_000},
        {"x-single-active-consumer": True},
        {"x-max-length": 100},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_a_queue_that_is_there_is_taken_as_it_is(
    rabbitmq: Broker, arguments: dict[str, Any]
) -> None:
    name = rabbitmq.queue
    with rabbitmq.app.connection_for_write() as connection:
        kombu.Queue(name, queue_arguments=arguments)(connection.channel()).declare()
        rabbitmq.publish(queue=name)
        rabbitmq.publish(routing_key=name)
        task = {"task": "add", "options": {"task_id": "a", "queue": name, "retry": False}}
        whole = workflow.group("g", [{"args": [], "kwargs": {}, "subtask_type": None, **task}])
        sent = workflow_publishing.publish(rabbitmq.app, whole, ["a"], timeout=10)
        assert sent == workflow_publishing.Sent(frozenset({"a"}))
        wait_until(lambda: size(connection, name) == 3, 10, "all three are there")


def test_one_publisher_survives_a_connection_that_died(broker: Broker) -> None:
    with publishing.Publisher(broker.app, 10) as publisher:
        publisher.publish(RAW, queue=broker.queue)
        connection: Any = publisher._connection
        if broker.app.conf.broker_url.startswith("amqp"):
            connection.connection.transport.sock.close()
        else:
            connection.default_channel.client.connection_pool.disconnect()
        publisher.publish(RAW, queue=broker.queue)
    assert len(broker.get(broker.queue)) == 2


def test_a_publisher_goes_on_after_a_refusal(broker: Broker) -> None:
    with publishing.Publisher(broker.app, 10) as publisher:
        with pytest.raises(OperationError):
            publisher.publish(RAW, exchange=f"gone-{uuid.uuid4()}", routing_key="key")
        publisher.publish(RAW, queue=broker.queue)
    assert len(broker.get(broker.queue)) == 1


def test_a_broker_that_swallows_everything_is_given_up_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"amqp://127.0.0.1:{server.getsockname()[1]}//"
        app = celery.Celery("test", broker=url, set_as_current=False)
        with pytest.raises(publishing.UnreachableError, match="nothing was published"):
            publishing.publish(app, RAW, routing_key="q", timeout=0.5)
