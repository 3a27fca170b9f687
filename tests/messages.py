"""Messages as Celery itself writes them, taken from a broker in this process."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import celery
import kombu
from kombu.utils import json as kombu_json

from z4j_django.agent import events, originals
from z4j_django.control import bodies
from z4j_django.operations import workflow


def taken(queue: str) -> Iterator[kombu.Message]:
    """All messages in a queue, which is empty then."""
    with kombu.Connection("memory://") as connection:
        bound = kombu.Queue(queue)(connection.channel())
        yield from iter(lambda: bound.get(no_ack=True), None)


def original_of(message: kombu.Message) -> events.Original:
    """What a worker would keep of it."""
    found = originals.original(message, originals.LIMIT)
    assert found is not None
    return found


def opened(message: kombu.Message) -> workflow.Message:
    """The same, opened."""
    original = original_of(message)
    body = bodies.decode(original.body, original.content_type, original.content_encoding)
    found = workflow.opened(message.headers["id"], original, body, "json")
    return dataclasses.replace(found, queue=found.routing_key)


def published(app: celery.Celery, signature: dict[str, Any], queue: str) -> list[kombu.Message]:
    """The messages that a signature becomes, as plain data first."""
    plain = kombu_json.loads(kombu_json.dumps(signature))
    celery.Signature.from_dict(plain, app=app).apply_async()
    return list(taken(queue))
