"""Groups and chords on record, whose messages Celery itself wrote."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import celery
import kombu
import pytest
from celery import chain, chord, group
from celery.canvas import Signature

from tests import messages
from tests.integration import operators
from tests.integration.pages import NOW
from z4j_django import operations, states
from z4j_django.agent import events
from z4j_django.exceptions import OperationError
from z4j_django.models import GroupRecord, Operation, TaskPayload, TaskRecord
from z4j_django.secrets import sealing


def make_app(monkeypatch: pytest.MonkeyPatch) -> celery.Celery:
    """The project's app, with a broker and a result backend in this process."""
    app = operators.broker_in_memory(monkeypatch)
    app.conf.update(result_backend="cache+memory://", task_default_queue=f"work-{uuid.uuid4().hex}")
    return app


class Sent:
    """A group that was sent and recorded; all members have succeeded until somebody says else."""

    def __init__(self, app: celery.Celery, signature: Signature) -> None:
        self.app = app
        signature.apply_async()
        found = list(messages.taken(app.conf.task_default_queue))
        self.id = str(found[0].headers["group"])
        self.members = [str(one.headers["id"]) for one in found]
        body = json.loads(found[0].body)[2]["chord"]
        #: Ids of the body's tasks: several, where it is a chain.
        steps = body["kwargs"].get("tasks", [body]) if body else []
        self.steps = [str(step["options"]["task_id"]) for step in steps]
        self.body = self.steps[0] if steps else ""
        for one in found:
            record(one)
            app.backend.store_result(one.headers["id"], 1, states.SUCCESS)
        GroupRecord.objects.create(
            group_id=self.id,
            kind="chord" if body else "group",
            size=len(found),
            body_id=self.body,
            first_seen=NOW,
        )

    def turn(self, index: int, **fields: Any) -> str:
        """Change what is on record of a member; its id."""
        TaskRecord.objects.filter(task_id=self.members[index]).update(**fields)
        return self.members[index]

    def refusal(self, **options: Any) -> str:
        """Why it is refused to be retried; nothing was begun or published."""
        with pytest.raises(OperationError) as raised:
            operations.retry_group(self.id, actor="the test", **options)
        assert not Operation.objects.exists()
        assert not list(messages.taken(self.app.conf.task_default_queue))
        return str(raised.value)


def record(message: kombu.Message, **fields: Any) -> None:
    """Put a task on record, with its message."""
    headers, original = message.headers, messages.original_of(message)
    TaskRecord.objects.create(
        **{
            "task_id": headers["id"],
            "name": headers["task"],
            "state": states.SUCCESS,
            "group_id": headers["group"] or "",
            "group_index": headers["group_index"],
            "sent_at": NOW,
            "received_at": NOW,
            **fields,
        }
    )
    keep(headers["id"], original)


def keep(task_id: str, original: events.Original) -> None:
    """Keep the message of a task."""
    TaskPayload.objects.update_or_create(
        project="default",
        task_id=task_id,
        defaults={
            "sealed": sealing.seal(original, sealing.task_context("default", task_id)),
            "size": original.size,
            "created_at": NOW,
        },
    )


def chord_of_three(app: celery.Celery) -> Sent:
    """A chord of three, whose member 1 has failed."""
    header = [Signature("pay", args=(n,), app=app) for n in range(3)]
    made = Sent(app, chord(header, Signature("tell", app=app), app=app))
    made.turn(1, state=states.FAILURE)
    return made


def group_of_three(app: celery.Celery) -> Sent:
    """A group of three, whose member 1 has failed."""
    made = Sent(app, group([Signature("pay", args=(n,), app=app) for n in range(3)], app=app))
    made.turn(1, state=states.FAILURE)
    return made


class Chained:
    """A chord of a chain of two steps and a task, of which only the first messages have left."""

    def __init__(self, app: celery.Celery) -> None:
        steps = chain(Signature("pay", args=(1,), app=app), Signature("tell", app=app), app=app)
        chord(
            [steps, Signature("pay", args=(2,), app=app)], Signature("end", app=app)
        ).apply_async()
        self.first, self.other = list(messages.taken(app.conf.task_default_queue))
        self.id = str(self.other.headers["group"])
        rest = json.loads(self.first.body)[2]["chain"]
        self.last = str(rest[0]["options"]["task_id"])
        body_id = json.loads(self.other.body)[2]["chord"]["options"]["task_id"]
        for message in (self.first, self.other):
            record(message)
            app.backend.store_result(message.headers["id"], 1, states.SUCCESS)
        TaskRecord.objects.create(
            task_id=self.last,
            name="tell",
            group_id=self.id,
            group_index=0,
            parent_id=self.first.headers["id"],
        )
        GroupRecord.objects.create(
            group_id=self.id, kind="chord", size=2, body_id=body_id, first_seen=NOW
        )

    def turn(self, **fields: Any) -> None:
        """Change what is on record of the chain's first step."""
        TaskRecord.objects.filter(task_id=self.first.headers["id"]).update(**fields)


def published(app: celery.Celery) -> Iterator[tuple[str, list[Any]]]:
    """The names and arguments of what was published meanwhile."""
    for message in messages.taken(app.conf.task_default_queue):
        yield message.headers["task"], json.loads(message.body)[0]
