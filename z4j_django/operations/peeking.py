"""A look at the messages that wait in a queue: they stay there, and are never unpickled."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from django.core.exceptions import PermissionDenied

from z4j_django import permissions, verbs, wiring
from z4j_django.agent import events, messages
from z4j_django.conf import settings
from z4j_django.control import bodies, queues
from z4j_django.exceptions import OperationError
from z4j_django.queries.filter.values import stored
from z4j_django.secrets.masking import mask_text
from z4j_django.store import describing
from z4j_django.store.rows import TaskRow
from z4j_django.values import clean, identifier, is_storable

#: Messages that are shown.
LIMIT: Final = 50
#: Seconds that the broker has.
TIMEOUT: Final = 5.0


@dataclass(frozen=True)
class Waiting:
    """A message in a queue, as the record would show it.

    Attributes:
        position: Its place, from 0: the first is the next that is taken, of its priority.
        task_id: Its task's id; empty where it names none.
        name: Its task's name.
        args: Its arguments, with secrets masked; none where they can't be shown.
        kwargs: Its keyword arguments, likewise.
        priority: Its priority, where it has one.
        sent_at: When it was sent, where its publisher ran this app.
        eta: When it may begin, as its headers say.
        expires: After which moment it is not to run, as its headers say.
        origin: The process that sent it.
        size: Bytes of its body.
        content_type: Its serializer's.
        unknown: What is not shown, and why.
    """

    position: int
    task_id: str = ""
    name: str = ""
    args: Any = None
    kwargs: Any = None
    priority: int | None = None
    sent_at: datetime | None = None
    eta: str = ""
    expires: str = ""
    origin: str = ""
    size: int = 0
    content_type: str = ""
    unknown: str = ""


def may(actor: permissions.Actor) -> bool:
    """Whether ``actor`` may look: somebody who may pause queues, and view tasks."""
    return permissions.can(actor, verbs.PAUSE_QUEUE.name) and permissions.can_view(
        actor, "taskrecord"
    )


def peek(name: str, *, actor: permissions.Actor, limit: int = LIMIT) -> list[Waiting]:
    """The first messages that wait in a queue, which stay there.

    Args:
        name: The queue's.
        actor: Who asks: somebody who may pause queues and view tasks.
        limit: How many at most.

    Raises:
        PermissionDenied: If ``actor`` may not look.
        OperationError: If the transport has no way to, or the broker does not answer.
        DiscoveryError: If the project's Celery app is not found.
    """
    permissions.require(actor, verbs.PAUSE_QUEUE.name)
    if not may(actor):
        raise PermissionDenied(
            f"{permissions.name_of(actor)} may not do this: "
            f"the permission {permissions.view_permission('taskrecord')} is missing."
        )
    if not name or not is_storable(name):
        raise OperationError("That is no name of a queue.")
    app: Any = wiring.find_celery_app().app
    try:
        found = queues.peek(app, name, limit, TIMEOUT)
    except OperationError:
        raise
    except Exception as error:  # whatever the transport raises
        told = mask_text(f"{type(error).__name__}: {error}")
        raise OperationError(f"The messages can't be looked at: {told}.") from error
    return [_shown(app, place, one) for place, one in enumerate(found)]


def _shown(app: Any, place: int, found: queues.Found) -> Waiting:
    if found.why_not:
        return Waiting(place, unknown=f"Not shown: {found.why_not}.")
    original = found.original
    kind = clean(original.content_type)
    if not queues.task_of(found)[0]:
        return Waiting(
            place, size=original.size, content_type=kind, unknown="It is no task of protocol 2."
        )
    content, unknown = None, ""
    try:
        content = bodies.decode(original.body, original.content_type, original.content_encoding)
    except OperationError as error:
        unknown = str(error)
    row, sent = _described(app, found, content)
    properties = msgspec.json.decode(original.properties)
    return Waiting(
        place,
        row.task_id,
        row.name,
        None if row.args is None else msgspec.json.decode(row.args),
        None if row.kwargs is None else msgspec.json.decode(row.kwargs),
        messages.number(properties.get("priority")),
        sent,
        clean(messages.text(found.headers.get("eta"))),
        clean(messages.text(found.headers.get("expires"))),
        row.origin,
        original.size,
        kind,
        unknown,
    )


def _described(
    app: Any, found: queues.Found, content: bodies.Body | None
) -> tuple[TaskRow, datetime | None]:
    """A message's record as it will be, and when it was sent."""
    stamp = messages.stamp(found.headers)
    event = messages.delivered(
        events.TASK_RECEIVED,
        found.headers,
        found.delivery,
        at=time.time(),
        stamped=stamp,
        content=content,
    )
    row = TaskRow(settings.PROJECT, identifier(event.task_id))
    told = event.message
    if told is not None:
        count = len(content[0]) if content is not None else 0
        params = bodies.parameter_names(app, told.name, count)
        told = msgspec.structs.replace(told, params=params)
        describing.write_facts(row, told, settings.redaction)
    sent = messages.moment(stamp, "at")
    return row, stored(datetime.fromtimestamp(sent, UTC)) if sent is not None else None
