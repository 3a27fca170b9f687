"""A message as it is sent again: what stays, what must change, and what was asked to change."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import UNSET

from z4j_django.agent import events, messages
from z4j_django.control import bodies, publishing
from z4j_django.exceptions import OperationError
from z4j_django.operations import edited, signatures
from z4j_django.options import given
from z4j_django.verb_options import RetryOptions

#: What a pickled signature has in it, and hardly any argument.
_SIGNATURE: Final = b"subtask_type"
#: Properties that were about the first time; Celery sets no ``timestamp``, but brokers do.
_DROPPED: Final = ("reply_to", "expiration", "timestamp")
#: How headers begin that RabbitMQ adds to what was dead-lettered, delayed or delivered before.
_OF_THE_BROKER: Final = (
    "x-death",
    "x-first-death-",
    "x-last-death-",
    "x-delivery-count",
    "x-acquired-count",
)


@dataclass(frozen=True)
class Reissue:
    """A message that is ready to be published.

    Attributes:
        raw: The message.
        queue: Where to, if that was asked for; otherwise by the exchange and routing key.
        exchange: As it was.
        routing_key: As it was.
        notes: What the operator should know of it, as sentences.
    """

    raw: publishing.Raw
    queue: str
    exchange: str
    routing_key: str
    notes: tuple[str, ...] = ()


def reissue(
    app: Any,
    original: events.Original,
    *,
    new_id: str,
    operation: int,
    options: RetryOptions,
    chord: str = "",
) -> Reissue:
    """The message that retries the task of ``original``.

    Args:
        app: The project's app.
        original: What the task came with.
        new_id: Id of the new task.
        operation: The number of the operation that publishes it.
        options: What was asked for.
        chord: Id of the body of the chord that the task feeds, as the record says.

    Raises:
        OperationError: If it can't be done; the message says why.
    """
    headers = _headers(original)
    properties = msgspec.json.decode(original.properties, type=dict[str, Any])
    old_id = str(headers["id"])
    notes = _lost(original, options)
    body = _body(app, original, headers, {old_id: new_id}, options, chord, notes)
    _restamp(headers, old_id, new_id, operation, options)
    properties = {name: value for name, value in properties.items() if name not in _DROPPED}
    properties["correlation_id"] = new_id
    return Reissue(
        raw=publishing.Raw(
            body=body,
            content_type=original.content_type,
            content_encoding=original.content_encoding,
            headers=headers,
            properties=properties,
        ),
        queue=given(options.queue, ""),
        exchange=original.exchange,
        routing_key=original.routing_key,
        notes=tuple(notes),
    )


def _headers(original: events.Original) -> dict[str, Any]:
    """The headers of a task's message, without what the broker added."""
    found = msgspec.json.decode(original.headers, type=dict[str, Any])
    if not isinstance(found.get("id"), str) or not isinstance(found.get("task"), str):
        raise OperationError("It was sent with task protocol 1; only protocol 2 is sent again.")
    return {name: one for name, one in found.items() if not name.startswith(_OF_THE_BROKER)}


def _lost(original: events.Original, options: RetryOptions) -> list[str]:
    """What is to be said of headers and properties that could not be kept."""
    lost = ", ".join(
        name
        for name in original.left_out
        if name not in _DROPPED and not name.startswith(_OF_THE_BROKER)
    )
    if not lost:
        return []
    if not options.force:
        raise OperationError(f"It can't be sent as it was: {lost} could not be kept.")
    return [f"It was sent without {lost}, which could not be kept."]


def _restamp(
    headers: dict[str, Any], old_id: str, new_id: str, operation: int, options: RetryOptions
) -> None:
    """Make the headers those of a new task, published now."""
    now = datetime.now(UTC)
    eta, expires = given(options.eta), given(options.expires)
    if options.countdown is not UNSET:
        eta = now + timedelta(seconds=options.countdown)
    if isinstance(expires, float):
        expires = now + timedelta(seconds=expires)
    headers.update(
        id=new_id,
        root_id=new_id if headers.get("root_id") in (old_id, None) else headers["root_id"],
        retries=0,
        eta=eta and eta.isoformat(),
        expires=expires and expires.isoformat(),
        origin=publishing.origin(),
    )
    headers[messages.HEADER] = {"at": time.time(), "retry_of": old_id, "operation": operation}


def _body(
    app: Any,
    original: events.Original,
    headers: dict[str, Any],
    ids: dict[str, str],
    options: RetryOptions,
    chord: str,
    notes: list[str],
) -> bytes:
    """The body: the very same bytes, unless something in it must change."""
    if bodies.is_pickled(original.content_type):
        return _pickled(original, options, chord, notes)
    try:
        args, kwargs, embed = bodies.decode(
            original.body, original.content_type, original.content_encoding
        )
    except OperationError:
        if _has_arguments(options) or chord:
            raise
        notes.append("Its body can't be read here: the tasks that follow it keep their ids.")
        return original.body
    changed = embed
    if body := signatures.chord_of(embed):
        _require_force(options, str(signatures.id_of(body)))
        changed = signatures.without_chord(embed)
        if embed.get("chord"):
            _leave_group(headers)
        notes.append("It was sent without its chord, which it no longer feeds.")
    if not options.keep_ids and any(True for _ in signatures.inside(changed)):
        changed = signatures.renew(changed, ids)
    if _has_arguments(options):
        args = _edited(app, headers, "argsrepr", options.args, args)
        kwargs = _edited(app, headers, "kwargsrepr", options.kwargs, kwargs)
        bodies.check_arguments(app, str(headers["task"]), args, kwargs)
    elif changed is embed:
        return original.body
    return bodies.encode(args, kwargs, changed, original.content_type, original.content_encoding)


def _edited(app: Any, headers: dict[str, Any], header: str, wanted: Any, original: Any) -> Any:
    """Arguments as they are sent, and the header that shows them."""
    if wanted is UNSET:
        return original
    found = edited.joined(wanted, original)
    if found is not original:
        headers[header] = bodies.repr_header(app, headers.get(header), original, found)
    return found


def _pickled(
    original: events.Original,
    options: RetryOptions,
    chord: str,
    notes: list[str],
) -> bytes:
    if _has_arguments(options):
        raise OperationError(
            "Its body is pickled, and is never unpickled here: it can be retried as it is, "
            "and not with other arguments."
        )
    if chord:
        _require_force(options, chord)
        raise OperationError(
            "It feeds a chord, and its body is pickled: the chord can't be taken out of it, "
            "and sent with it the task would count for the old chord."
        )
    if _SIGNATURE in original.body and not options.keep_ids:
        notes.append("Its body is pickled and never unpickled: tasks that follow keep their ids.")
    return original.body


def _has_arguments(options: RetryOptions) -> bool:
    return options.args is not UNSET or options.kwargs is not UNSET


def _require_force(options: RetryOptions, chord: str) -> None:
    if not options.force:
        raise OperationError(
            f"It is a member of the chord with the body {chord}. Alone it would not complete it: "
            "retry_group runs the chord again. With force it is sent without its chord."
        )


def _leave_group(headers: dict[str, Any]) -> None:
    headers["group"] = headers["group_index"] = None
