"""A broker in memory, and a queue on it; fixtures for tests that purge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import celery
import pytest
from kombu import Producer
from kombu.transport.memory import Channel

from z4j_django import wiring
from z4j_django.agent.discovery import Found

QUEUE = "mail"
Publish = Callable[..., None]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[celery.Celery]:
    """An app with a broker of its own, in this process."""
    made = celery.Celery("mailer", broker="memory://", set_as_current=False)
    monkeypatch.setattr(wiring, "find_celery_app", lambda: Found(made, "tests:app"))
    monkeypatch.setattr(Channel, "queues", {})
    yield made
    made.close()


@pytest.fixture
def publish(app: celery.Celery) -> Publish:
    """Publishes messages straight to the queue; the header ``id`` is their number."""

    def call(*numbers: int, **headers: Any) -> None:
        with app.connection_for_write() as connection:
            producer = Producer(connection.default_channel)
            for number in numbers:
                producer.publish(
                    [[number], {}, {}],
                    routing_key=QUEUE,
                    serializer="json",
                    headers={"id": f"task-{number}", "task": "send", **headers},
                    correlation_id=f"task-{number}",
                    priority=number % 3,
                )

    return call
