"""Users with each role, tasks that can be retried, and operations that are only pretended."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import celery
import msgspec
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.integration.pages import NOW
from z4j_django import operations, permissions, verbs, wiring
from z4j_django.agent import discovery, events
from z4j_django.control import queue_depths
from z4j_django.models import Operation, OperationTarget, TaskPayload, TaskRecord
from z4j_django.operations import asking
from z4j_django.secrets import sealing

#: Who comes to the admin, from the one who may least on.
WHO = ("anonymous", "no staff", "staff", *permissions.ROLES, "superuser")
QUEUES = reverse("admin:z4j_django_operation_queues")
OPERATIONS = reverse("admin:z4j_django_operation_changelist")
#: Of a message that :func:`keep` keeps.
HEADERS = {"lang": "py", "task": "shop.pay", "id": "old", "root_id": "root", "group": "g"}


def signed_in(who: str) -> Client:
    """A client of one of :data:`WHO`."""
    client = Client()
    if who == "anonymous":
        return client
    user = User.objects.create_user(
        who.replace(" ", "-"), is_staff=who != "no staff", is_superuser=who == "superuser"
    )
    grant(user, *permissions.ROLES.get(who, ()))
    client.force_login(user)
    return client


def grant(user: User, *codenames: str) -> None:
    found = Permission.objects.filter(
        content_type__app_label=permissions.APP_LABEL, codename__in=codenames
    )
    user.user_permissions.add(*found)


def address(name: str, *args: Any) -> str:
    """One of the pages that act."""
    return reverse(f"admin:z4j_django_{name}", args=args)


def ids(*records: Any) -> str:
    """The query that chooses some records on a page that acts."""
    return "?" + "&".join(f"id={record.pk}" for record in records)


def operation(verb: str = "retry", targets: tuple[str, ...] = ("a",), **fields: Any) -> Operation:
    """One on record, with its targets."""
    now = timezone.now()
    kind = {"purge_queue": "queue", "retry_group": "group"}.get(verb, "task")
    made = Operation.objects.create(
        **{
            "verb": verb,
            "state": "finished",
            "actor": "alice",
            "surface": "admin",
            "total": len(targets),
            "created_at": now,
            "updated_at": now,
            "finished_at": now,
            **fields,
        }
    )
    OperationTarget.objects.bulk_create(
        OperationTarget(operation=made, position=place, kind=kind, target=target)
        for place, target in enumerate(targets)
    )
    return made


def kept(task_id: str, *args: Any, **fields: Any) -> TaskRecord:
    """A task that failed, and whose message is kept."""
    record = TaskRecord.objects.create(
        **{
            "task_id": task_id,
            "name": "shop.pay",
            "state": "FAILURE",
            "queue": "mail",
            "args": list(args),
            "kwargs": {},
            "sent_at": NOW,
            **fields,
        }
    )
    headers = {"lang": "py", "task": record.name, "id": task_id, "root_id": task_id}
    original = events.Original(
        size=10,
        body=json.dumps([args, {}, {}]).encode(),
        content_type="application/json",
        content_encoding="utf-8",
        headers=msgspec.Raw(msgspec.json.encode(headers)),
        properties=msgspec.Raw(b'{"delivery_mode":2,"priority":0}'),
        routing_key=record.queue,
    )
    TaskPayload.objects.create(
        project=record.project,
        task_id=task_id,
        sealed=sealing.seal(original, sealing.task_context(record.project, task_id)),
        size=original.size,
        created_at=NOW,
    )
    return record


def keep(record: TaskRecord, **fields: Any) -> None:
    """Replace the message that is kept of a task."""
    given: dict[str, Any] = {
        "size": 2,
        "body": b"[[], {}, {}]",
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "headers": HEADERS,
        "properties": {},
        "routing_key": record.queue,
        **fields,
    }
    for name in ("headers", "properties"):
        given[name] = msgspec.Raw(msgspec.json.encode(given[name]))
    keep_original(record, events.Original(**given))


def keep_original(record: TaskRecord, original: events.Original) -> None:
    """Keep this message of a task."""
    context = sealing.task_context(record.project, record.task_id)
    TaskPayload.objects.update_or_create(
        project=record.project,
        task_id=record.task_id,
        defaults={
            "sealed": sealing.seal(original, context),
            "size": original.size,
            "created_at": NOW,
        },
    )


def broker_in_memory(monkeypatch: Any) -> celery.Celery:
    """A project's app whose broker lives in this process."""
    app = celery.Celery("shop", broker="memory://", set_as_current=False)
    monkeypatch.setattr(wiring, "find_celery_app", lambda: discovery.Found(app, "shop:app", ()))
    return app


class Pretence:
    """Stands for the functions of ``operations``: asks for the permission, and notes the call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, dict[str, Any]]] = []
        #: Raised by the next call, where there is one.
        self.error: Exception | None = None
        self.depth: int | None = 3

    def perform(self, verb: str, target: Any, options: Any, *, actor: Any, **how: Any) -> Operation:
        """Reads the options as ever, and does nothing."""
        permissions.require(actor, verb)
        read = asking.options_of(verb, options, surface=how["surface"])
        if verbs.VERBS[verb].noun == "task" and isinstance(target, str):
            target = [target]
        return self._note(
            verb, target, actor, {name: getattr(read, name) for name in options} | how
        )

    def bulk(self, verb: str, *, actor: Any, **given: Any) -> Operation:
        for one in ("bulk", verb):
            permissions.require(actor, one)
        return self._note("bulk", verb, actor, given)

    def _note(self, verb: str, target: Any, actor: Any, given: dict[str, Any]) -> Operation:
        if self.error is not None:
            raise self.error
        self.calls.append((verb, target, given))
        return operation("retry" if verb == "bulk" else verb, actor=str(actor), done=1)

    def abort(self, operation_id: int, *, actor: Any) -> Operation:
        found = Operation.objects.get(pk=operation_id)
        permissions.require(actor, found.verb)
        self.calls.append(("abort", operation_id, {}))
        return found


def pretend(monkeypatch: Any) -> Pretence:
    """Put a :class:`Pretence` in the place of ``operations``, and of the broker's depths."""
    pretence = Pretence()
    for name in ("perform", "bulk", "abort"):
        monkeypatch.setattr(operations, name, getattr(pretence, name))
    counting = nullcontext(lambda name: pretence.depth)
    monkeypatch.setattr(queue_depths, "counting", lambda: counting)
    return pretence
