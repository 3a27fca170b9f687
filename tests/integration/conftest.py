"""Who comes, brokers in this process, and operations that are only pretended."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import celery
import pytest
from django.test import Client
from kombu import Producer
from kombu.transport.memory import Channel

from tests import first_page
from tests.integration import api_client, chords, operators, pages
from tests.integration.chords import Sent
from tests.integration.mailbox import QUEUE, Publish
from tests.integration.operators import Pretence
from z4j_django import control, wiring
from z4j_django.agent.discovery import Found


@pytest.fixture(autouse=True)
def _first_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """It remembers nothing of another test, and makes no round of its own while one runs."""
    first_page.alone(monkeypatch)


@pytest.fixture
def admin_client() -> Client:
    """A superuser in the admin."""
    return pages.superuser()


@pytest.fixture
def api() -> Client:
    """A superuser of the API, with a token."""
    return api_client.client()


@pytest.fixture
def pretence(monkeypatch: pytest.MonkeyPatch) -> Pretence:
    """Operations that are asked for, and not done."""
    return operators.pretend(monkeypatch)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> str:
    """A queue of the test's own, of a broker in this process."""
    operators.broker_in_memory(monkeypatch)
    return f"mail-{uuid.uuid4().hex}"


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The operations that were left to a worker."""
    numbers: list[int] = []
    monkeypatch.setattr(
        control, "send_bulk", lambda app, number, queue, timeout: numbers.append(number)
    )
    return numbers


@pytest.fixture
def mail_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[celery.Celery]:
    """An app with a broker of its own, in this process."""
    made = celery.Celery("mailer", broker="memory://", set_as_current=False)
    monkeypatch.setattr(wiring, "find_celery_app", lambda: Found(made, "tests:app"))
    monkeypatch.setattr(Channel, "queues", {})
    yield made
    made.close()


@pytest.fixture
def publish(mail_app: celery.Celery) -> Publish:
    """Publishes messages straight to the queue; the header ``id`` is their number."""

    def call(*numbers: int, **headers: Any) -> None:
        with mail_app.connection_for_write() as connection:
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


@pytest.fixture
def waiting(mail_app: celery.Celery) -> Callable[[], list[Any]]:
    """Takes all that is in the queue: ids, bodies and priorities."""

    def call() -> list[Any]:
        with mail_app.connection_for_write() as connection:
            channel = connection.default_channel
            found = iter(lambda: channel.basic_get(QUEUE, no_ack=True), None)
            return [(each.headers["id"], each.body, each.properties["priority"]) for each in found]

    return call


@pytest.fixture
def chord_app(monkeypatch: pytest.MonkeyPatch) -> celery.Celery:
    """The project's app, in this process, with a broker and a result backend."""
    return chords.make_app(monkeypatch)


@pytest.fixture
def sent(chord_app: celery.Celery) -> Sent:
    """A chord of three, whose member 1 has failed."""
    return chords.chord_of_three(chord_app)
