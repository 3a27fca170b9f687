"""Messages as raw bytes, published once more."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

import celery
import msgspec
from amqp.exceptions import ChannelError, MessageNacked, NotFound
from celery.utils.nodenames import anon_nodename
from kombu import compression
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.exceptions import InconsistencyError
from kombu.messaging import Producer

from z4j_django.agent import addresses, bootstrap, messages, republishing, sampling
from z4j_django.agent.events import Original
from z4j_django.exceptions import OperationError, Z4JError
from z4j_django.timeouts import within

#: Properties that a publisher sets; all others are the transport's own.
_PROPERTIES: Final = (
    "correlation_id",
    "reply_to",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
)
#: Seconds in which a connection must close.
_CLOSING: Final = 2.0
#: AMQP's reply code for a message that no queue takes.
_NO_ROUTE: Final = 312
#: What a broker that speaks AMQP itself calls its driver; all other transports are kombu's own.
_AMQP: Final = "amqp"


class UnreachableError(Z4JError):
    """The broker could not be reached in time; nothing was published."""


@dataclass(frozen=True)
class Raw:
    """A message to be published.

    Attributes:
        body: In the serializer's own bytes, uncompressed.
        content_type: The serializer's.
        content_encoding: The serializer's.
        headers: All of them; ``compression`` names what the body is compressed with on its way.
        properties: As delivered: ``correlation_id``, ``priority``, ``delivery_mode``,
            ``expiration`` (milliseconds, as text) and so on.
        restored: In words, where it was taken out of a queue, and goes back, or into another: its
            task waits again.
    """

    body: bytes = field(repr=False)
    content_type: str
    content_encoding: str
    headers: dict[str, Any] = field(repr=False)
    properties: dict[str, Any] = field(repr=False)
    restored: str = ""

    @classmethod
    def of(cls, original: Original, restored: str) -> Raw:
        """A message that was saved as it lay in its queue; ``restored`` says why it goes back."""
        return cls(
            body=original.body,
            # Without a type kombu would take the bytes for an object, and serialize it.
            content_type=original.content_type or "application/octet-stream",
            content_encoding=original.content_encoding or "binary",
            headers=msgspec.json.decode(original.headers),
            properties=msgspec.json.decode(original.properties),
            restored=restored,
        )


@dataclass(frozen=True)
class _Route:
    """Where a message goes, and the queues that are declared before, where they are missing."""

    exchange: str
    routing_key: str
    queue: str
    declare: tuple[Queue, ...]


class _Attempt:
    """Whether a message may have left, agreed on by who publishes it and who waits for that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = self._given_up = False

    def begin(self) -> None:
        """From now on it may leave.

        Raises:
            TimeoutError: If nobody waits any more, and it was said that it was not published.
        """
        with self._lock:
            if self._given_up:
                raise TimeoutError("given up")
            self._begun = True

    def give_up(self) -> bool:
        """Let it not begin any more; whether it has."""
        with self._lock:
            self._given_up = True
            return self._begun


class Publisher:
    """Publishes any number of messages over one connection. A context manager.

    Args:
        app: The project's app.
        timeout: Seconds in which the broker must take each message.
    """

    def __init__(self, app: celery.Celery, timeout: float) -> None:
        self._app = app
        self._timeout = timeout
        self._connection: Connection | None = None

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def publish(
        self, raw: Raw, *, queue: str = "", exchange: str = "", routing_key: str = ""
    ) -> None:
        """Publish a message, and record that it was sent.

        The broker has confirmed it where it can: RabbitMQ does.

        Args:
            raw: The message.
            queue: Where to; routed as Celery routes to a queue of that name.
            exchange: Without a queue: where to; the default exchange if empty.
            routing_key: Without a queue: the routing key.

        Raises:
            OperationError: If no queue would take it; nothing was published.
            UnreachableError: If the broker could not be reached in time; nothing was published.
            TimeoutError: If the broker does not take it in time; it may have, all the same.
            Exception: Whatever the transport raises where it refuses.
        """
        route = _route(self._app, queue, exchange, routing_key)
        attempt = _Attempt()
        try:
            within(self._timeout, lambda: self._publish(raw, route, attempt))
        except TimeoutError as error:
            self._connection = None  # a thread that was left behind may still have it
            if not attempt.give_up():
                raise UnreachableError(
                    f"The broker could not be reached ({error}); nothing was published."
                ) from error
            raise TimeoutError(
                f"The broker did not confirm it ({error}); whether it was published is unknown."
            ) from error
        except BaseException:
            self.close()  # its channel may be closed, or a reply may be on its way
            raise

    def _publish(self, raw: Raw, route: _Route, attempt: _Attempt) -> None:
        ready = _headers_and_properties(self._app, raw)
        connection, channel = self._prepare(route)
        attempt.begin()
        at = time.time()
        try:
            Producer(channel, auto_declare=False).publish(
                raw.body,
                exchange=route.exchange,
                routing_key=route.routing_key,
                content_type=raw.content_type,
                content_encoding=raw.content_encoding,
                mandatory=connection.transport.driver_type == _AMQP,
                timeout=self._timeout,
                confirm_timeout=self._timeout,
                **ready,
            )
        except ChannelError as error:
            if isinstance(error, NotFound) or error.reply_code == _NO_ROUTE:
                raise OperationError(_no_queue(route)) from error
            raise
        except MessageNacked as error:
            raise OperationError(
                "The broker did not take it: its queue may be full, or gone. Nothing was published."
            ) from error
        except connection.recoverable_connection_errors as error:
            raise TimeoutError(f"the connection broke: {type(error).__name__}") from error
        _record(raw, route, at)

    def _prepare(self, route: _Route) -> tuple[Connection, Any]:
        """A channel on which the queue is there. A connection that has died is opened anew."""
        if self._connection is not None:
            old = self._connection
            try:
                return old, _declare(old, route)
            except old.recoverable_connection_errors:
                self.close()
        self._connection = _open(self._app, self._timeout)
        return self._connection, _declare(self._connection, route)

    def close(self) -> None:
        """Let go of the connection; the next message would open another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # what was to be sent is sent
                within(_CLOSING, connection.release)


def publish(
    app: celery.Celery,
    raw: Raw,
    *,
    queue: str = "",
    exchange: str = "",
    routing_key: str = "",
    timeout: float,
) -> None:
    """Publish one message; see :meth:`Publisher.publish`."""
    with Publisher(app, timeout) as publisher:
        publisher.publish(raw, queue=queue, exchange=exchange, routing_key=routing_key)


def missing(connection: Connection, queues: Iterable[Queue]) -> list[Queue]:
    """Which of these queues have to be declared before something is published to them.

    RabbitMQ refuses to declare a queue with other arguments than it has; and whoever publishes may
    not know them. So what is there is taken as it is. kombu's own transports take any.
    """
    if connection.transport.driver_type != _AMQP:
        return list(queues)
    return [queue for queue in queues if not _is_there(connection, queue.name)]


def _is_there(connection: Connection, queue: str) -> bool:
    with connection.channel() as channel:  # of its own: a refusal closes it
        try:
            channel.queue_declare(queue=queue, passive=True)
        except NotFound:
            return False
    return True


def origin() -> str:
    """What a message's header ``origin`` says of this process."""
    return str(anon_nodename())


def _open(app: celery.Celery, timeout: float) -> Connection:
    """A connection that is there, from a single try; one that confirms, if it can."""
    connection: Connection = app.connection_for_write(connect_timeout=timeout)
    if connection.transport.driver_type == _AMQP:
        connection = app.connection_for_write(
            connect_timeout=timeout, transport_options={"confirm_publish": True}
        )
    try:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=timeout)
    except BaseException as error:
        connection.release()
        if isinstance(error.__cause__, TimeoutError):
            raise TimeoutError(f"no answer within {timeout:g} s") from error
        raise
    return connection


def _declare(connection: Connection, route: _Route) -> Any:
    """A channel, after the queue was declared, or seen to be there, as far as can be."""
    channel = connection.default_channel
    for queue in missing(connection, route.declare):
        queue(channel).declare()
    if connection.transport.driver_type != _AMQP:  # RabbitMQ says so itself, when it is published
        _require_a_queue(channel, route)
    return channel


def _route(app: celery.Celery, queue: str, exchange: str, routing_key: str) -> _Route:
    if queue:
        found = _queue(app, queue)
        if found.exchange is None or found.exchange.type == "direct":
            return _Route("", found.name, found.name, (found,))
        return _Route(found.exchange.name, found.routing_key or "", found.name, (found,))
    name = addresses.queue_at(app.amqp.queues, exchange, routing_key)
    known = app.amqp.queues.get(name)
    return _Route(exchange, routing_key, name, () if known is None else (known,))


def _queue(app: celery.Celery, name: str) -> Any:
    """The queue of that name, as the app declares it."""
    known = app.amqp.queues.get(name)  # unlike [name], which would add it to the app's
    if known is not None:
        return known
    try:
        return app.amqp.Queues({})[name]
    except KeyError:
        raise OperationError(
            f"The app has no queue {name!r}, and task_create_missing_queues is off."
        ) from None


def _headers_and_properties(app: celery.Celery, raw: Raw) -> dict[str, Any]:
    """What kombu's producer takes besides the body and where it goes."""
    headers = dict(raw.headers)
    found = {name: raw.properties[name] for name in _PROPERTIES if raw.properties.get(name)}
    method = headers.pop("compression", None)
    if method:
        try:
            compression.get_encoder(method)
        except (KeyError, TypeError):
            raise OperationError(f"Nothing here can compress it with {method!r} again.") from None
    if (expiration := raw.properties.get("expiration")) is not None:
        found["expiration"] = float(expiration) / 1000
    return {
        **found,
        "headers": headers,
        "compression": method,
        "priority": raw.properties.get("priority") or 0,
        "delivery_mode": raw.properties.get("delivery_mode") or app.conf.task_default_delivery_mode,
    }


def _require_a_queue(channel: Any, route: _Route) -> None:
    """See that one of kombu's own transports would not drop the message."""
    if not route.exchange:
        return  # straight to the queue, which is made where there is none
    kind = channel.typeof(route.exchange)
    if kind.type == "fanout":
        return
    try:
        table = channel.get_table(route.exchange)
    except (KeyError, InconsistencyError):  # nobody has ever declared it
        table = ()
    if not kind.lookup(table, route.exchange, route.routing_key, None):
        raise OperationError(_no_queue(route))


def _no_queue(route: _Route) -> str:
    if route.exchange:
        where = f"of the exchange {route.exchange!r} under {route.routing_key!r}"
    else:
        where = f"of the name {route.routing_key!r}"
    return f"The broker has no queue {where} (any more); nothing was published."


def _record(raw: Raw, route: _Route, at: float) -> None:
    agent = bootstrap.installed()
    if agent is None or "id" not in raw.headers:  # without: task protocol 1, or no task at all
        return
    if messages.stamp(raw.headers).get("keep") == sampling.NOTHING:
        return
    event = republishing.republished(
        raw.headers,
        exchange=route.exchange,
        routing_key=route.routing_key,
        queue=route.queue,
        priority=messages.number(raw.properties.get("priority")),
        at=at,
    )
    if raw.restored:
        event = msgspec.structs.replace(event, requeued=True, detail=raw.restored)
    agent.note(event)
