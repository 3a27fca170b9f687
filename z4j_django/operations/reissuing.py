"""A message as it is sent again: what stays, what must change, and what was asked to change."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from z4j_django.agent import events, messages
from z4j_django.conf import settings
from z4j_django.control import bodies, publishing
from z4j_django.exceptions import OperationError
from z4j_django.operations import signatures
from z4j_django.secrets import redaction

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
#: Seconds that an operator may ask to wait: ten years.
_LONGEST: Final = 10 * 365 * 86_400.0


@dataclass(frozen=True)
class Options:
    """What a retry was asked to do otherwise than the first time.

    Attributes:
        queue: Where to send it instead.
        countdown: Seconds after which it may run.
        eta: When it may run.
        expires: Seconds, or the moment, after which it is not to run any more.
        force: Also a task that has not ended, or whose retry has not; also a chord's member,
            without its chord.
        keep_ids: Leave the ids of the tasks that follow as they are.
    """

    queue: str = ""
    countdown: float | None = None
    eta: datetime | None = None
    expires: float | datetime | None = None
    force: bool = False
    keep_ids: bool = False

    def as_json(self) -> dict[str, Any]:
        """What was given, for ``Operation.parameters``."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in given.items()
            if value is not None and value != "" and value is not False
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Options:
        """The options of a stored operation, or of a form."""
        known = {name: given[name] for name in cls.__dataclass_fields__ if name in given}
        return cls.checked(**known)

    @classmethod
    def checked(
        cls,
        queue: str | None = None,
        countdown: float | None = None,
        eta: datetime | str | None = None,
        expires: float | datetime | str | None = None,
        force: bool = False,
        keep_ids: bool = False,
    ) -> Options:
        """The options, if they make sense.

        Raises:
            OperationError: If not; the message says which.
        """
        if countdown is not None and eta is not None:
            raise OperationError("Give either a countdown or an ETA, not both.")
        if countdown is not None:
            _require_seconds("countdown", countdown)
        if isinstance(expires, int | float):
            _require_seconds("expires", expires)
        if queue is not None and not isinstance(queue, str):
            raise OperationError("A queue is given by its name.")
        queue = (queue or "").strip()
        if not queue.isprintable() or len(queue.encode()) > 255:
            raise OperationError("A queue's name has at most 255 bytes, and can be printed.")
        return cls(
            queue=queue,
            countdown=countdown,
            eta=_moment("eta", eta),
            expires=expires if isinstance(expires, int | float) else _moment("expires", expires),
            force=bool(force),
            keep_ids=bool(keep_ids),
        )


@dataclass(frozen=True)
class Arguments:
    """New arguments; ``None`` where the old ones stay."""

    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None

    @classmethod
    def checked(cls, args: Any = None, kwargs: Any = None) -> Arguments:
        """The arguments, if they can be sent.

        Raises:
            OperationError: If they are not JSON.
        """
        if args is not None and not isinstance(args, list | tuple):
            raise OperationError("New args are a list.")
        if kwargs is not None and not (
            isinstance(kwargs, dict) and all(isinstance(key, str) for key in kwargs)
        ):
            raise OperationError("New kwargs are a dict whose keys are text.")
        try:
            copy = json.loads(json.dumps([args, kwargs]))
        except (TypeError, ValueError, RecursionError) as error:
            raise OperationError(f"New arguments are plain JSON: {error}.") from error
        return cls(args=copy[0], kwargs=copy[1])

    def as_json(self, names: Sequence[str]) -> dict[str, Any]:
        """What was given, redacted, for ``Operation.parameters``.

        Args:
            names: Of the positional parameters, as far as they are known.
        """
        shown: dict[str, Any] = {}
        if self.args is not None:
            shown["args"] = redaction.redact_args(self.args, names, rules=settings.redaction)
        if self.kwargs is not None:
            shown["kwargs"] = redaction.redact(self.kwargs, rules=settings.redaction)
        return shown

    def __bool__(self) -> bool:
        return self.args is not None or self.kwargs is not None


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
    options: Options,
    arguments: Arguments = Arguments(),
    chord: str = "",
) -> Reissue:
    """The message that retries the task of ``original``.

    Args:
        app: The project's app.
        original: What the task came with.
        new_id: Id of the new task.
        operation: The number of the operation that publishes it.
        options: What was asked for.
        arguments: New arguments, if any.
        chord: Id of the body of the chord that the task feeds, as the record says.

    Raises:
        OperationError: If it can't be done; the message says why.
    """
    headers = _headers(original)
    properties = msgspec.json.decode(original.properties, type=dict[str, Any])
    old_id = str(headers["id"])
    notes = _lost(original, options)
    body = _body(app, original, headers, {old_id: new_id}, options, arguments, chord, notes)
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
        queue=options.queue,
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


def _lost(original: events.Original, options: Options) -> list[str]:
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
    headers: dict[str, Any], old_id: str, new_id: str, operation: int, options: Options
) -> None:
    """Make the headers those of a new task, published now."""
    now = datetime.now(UTC)
    eta, expires = options.eta, options.expires
    if options.countdown is not None:
        eta = now + timedelta(seconds=options.countdown)
    if isinstance(expires, int | float):
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
    options: Options,
    arguments: Arguments,
    chord: str,
    notes: list[str],
) -> bytes:
    """The body: the very same bytes, unless something in it must change."""
    if bodies.is_pickled(original.content_type):
        return _pickled(original, options, arguments, chord, notes)
    try:
        args, kwargs, embed = bodies.decode(
            original.body, original.content_type, original.content_encoding
        )
    except OperationError:
        if arguments or chord:
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
    if arguments:
        args = args if arguments.args is None else arguments.args
        kwargs = kwargs if arguments.kwargs is None else arguments.kwargs
        bodies.check_arguments(app, str(headers["task"]), args, kwargs)
        headers["argsrepr"], headers["kwargsrepr"] = bodies.describe(app, args, kwargs)
    elif changed is embed:
        return original.body
    return bodies.encode(args, kwargs, changed, original.content_type, original.content_encoding)


def _pickled(
    original: events.Original,
    options: Options,
    arguments: Arguments,
    chord: str,
    notes: list[str],
) -> bytes:
    if arguments:
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


def _require_force(options: Options, chord: str) -> None:
    if not options.force:
        raise OperationError(
            f"It is a member of the chord with the body {chord}. Alone it would not complete it: "
            "retry_group runs the chord again. With force it is sent without its chord."
        )


def _leave_group(headers: dict[str, Any]) -> None:
    headers["group"] = headers["group_index"] = None


def _require_seconds(name: str, value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and 0 <= value <= _LONGEST):  # which NaN is not
        raise OperationError(f"{name} is a number of seconds from 0 to ten years.")


def _moment(name: str, value: datetime | str | None) -> datetime | None:
    """An aware moment in UTC; a naive one is of the project's time zone."""
    if value is None or value == "":
        return None
    try:
        found = value if isinstance(value, datetime) else parse_datetime(value)
        if found is not None and timezone.is_naive(found):
            found = timezone.make_aware(found)
        moment = found and found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        moment = None
    if moment is None:
        raise OperationError(f"{name} is a moment such as 2026-05-01T12:00:00+02:00.")
    return moment
