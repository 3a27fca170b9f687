"""Which queue an address means."""

from __future__ import annotations

import pytest
from kombu import Exchange, Queue, binding
from kombu.common import Broadcast
from kombu.transport.native_delayed_delivery import calculate_routing_key

from z4j_django.agent import addresses

TOPIC = Exchange("mail", type="topic")
DIRECT = Exchange("direct", type="direct")
QUEUES = {
    queue.name: queue
    for queue in (
        Queue("anything", TOPIC, routing_key="#"),
        Queue("letters", TOPIC, routing_key="letter.*"),
        Queue("parcels", TOPIC, routing_key="parcel.#.express"),
        Queue("stamps", TOPIC, routing_key="stamps"),
        Queue("bound", bindings=[binding(TOPIC, "first"), binding(DIRECT, "second")]),
        Queue("straight", DIRECT, routing_key="straight"),
    )
}


@pytest.mark.parametrize(
    ("exchange", "routing_key", "queue"),
    [
        ("", "anywhere", "anywhere"),
        ("direct", "straight", "straight"),
        ("direct", "crooked", ""),
        ("fax", "stamps", ""),
        ("mail", "stamps", "stamps"),
        ("mail", "first", "bound"),
        ("direct", "second", "bound"),
    ],
)
def test_an_address_is_a_binding(exchange: str, routing_key: str, queue: str) -> None:
    assert addresses.queue_at(QUEUES, exchange, routing_key) == queue


@pytest.mark.parametrize(
    ("pattern", "routing_key", "fits"),
    [
        ("letter.*", "letter.de", True),
        ("letter.*", "letter", False),
        ("letter.*", "letter.de.by", False),
        ("letter.*", "letterxde", False),
        ("parcel.#.express", "parcel.express", True),
        ("parcel.#.express", "parcel.de.by.express", True),
        ("parcel.#.express", "parcel.de", False),
        ("#", "", True),
        ("#", "a.b", True),
        ("a+b.*", "a+b.c", True),
    ],
)
def test_a_topic_binding_is_a_pattern(pattern: str, routing_key: str, fits: bool) -> None:
    queues = {"q": Queue("q", TOPIC, routing_key=pattern)}
    assert addresses.queue_at(queues, "mail", routing_key) == ("q" if fits else "")


def test_an_exact_binding_comes_before_a_pattern() -> None:
    assert addresses.queue_at(QUEUES, "mail", "stamps") == "stamps"
    assert addresses.queue_at(QUEUES, "mail", "letter.de") == "anything"


@pytest.mark.parametrize("exchange", ["celery_delayed_27", "celery_delayed_delivery"])
def test_delayed_delivery_is_for_the_queue_behind_the_delay(exchange: str) -> None:
    for routing_key, queue in (("stamps", "stamps"), ("letter.de", "anything"), ("first", "bound")):
        delayed = calculate_routing_key(3, routing_key)
        assert addresses.queue_at(QUEUES, exchange, delayed) == queue
    straight = {"straight": QUEUES["straight"]}
    assert addresses.queue_at(straight, exchange, calculate_routing_key(3, "straight")) == ""


def test_a_broadcast_goes_by_its_name() -> None:
    queue = Broadcast("news")
    address = queue.exchange.name, queue.routing_key or ""
    assert addresses.queue_at({queue.name: queue}, *address) == "news"
