"""The broker as kombu has it, without Celery: where it is, and how many messages wait in a queue.

A shipper that knows nothing of the project asks it. So kombu is imported when it is asked, and
not before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from z4j_django import broadcasts
from z4j_django.values import SHORT

if TYPE_CHECKING:
    from kombu.connection import Connection

#: Queues of an app that are named.
_QUEUES: Final = 500
_KOMBU: Final = "kombu.transport."
#: Transports whose clients are small, by their modules; and what bounds a call of theirs.
_TIMEOUTS: Final[Mapping[str, tuple[str, ...]]] = {
    "kombu.transport.pyamqp": ("read_timeout", "write_timeout"),
    "kombu.transport.redis": ("socket_timeout", "socket_connect_timeout"),
    "kombu.transport.filesystem": (),
}
#: Seconds that kombu's transport for Redis leaves a message with a worker, if it is not told.
_VISIBILITY: Final = 3_600.0


def describe(app: Any) -> dict[str, Any]:
    """What another process needs to ask the broker of a Celery app, and its workers, as plain data.

    Returns:
        ``queues``, those that the app names; ``connection``, or why there is none, ``unknown``;
        ``mailbox``, the workers'.
    """
    found: dict[str, Any] = {"queues": queue_names(app), "connection": {}, "unknown": ""}
    found["mailbox"] = broadcasts.describe(app)
    with app.connection_for_write() as connection:
        info = connection.info()
        transport = _transport(connection)
    module = transport.partition(":")[0]
    if module not in _TIMEOUTS:
        name = module.removeprefix(_KOMBU) or "of the project's own"
        return {**found, "unknown": f"The transport {name} is asked in the project's processes."}
    info["transport"] = transport
    with contextlib.suppress(TypeError, ValueError):
        if not info.get("credential_provider") and info == msgspec.json.decode(
            msgspec.json.encode(info)
        ):
            return {**found, "connection": info}
    return {**found, "unknown": "The broker's options hold what can't be handed over."}


def queue_names(app: Any) -> list[str]:
    """The queues that an app names."""
    return [name for name in map(str, app.amqp.queues) if 0 < len(name) <= SHORT][:_QUEUES]


def visibility_timeout(described: Mapping[str, Any]) -> float | None:
    """Seconds after which the broker gives a message out again that no worker has acknowledged.

    Args:
        described: What ``describe`` told.

    Returns:
        Nothing where it waits for as long as the worker is there, or where nothing is known of it.
    """
    given = described["connection"]
    usual = _VISIBILITY if given.get("transport", "").startswith(f"{_KOMBU}redis:") else None
    found = (given.get("transport_options") or {}).get("visibility_timeout", usual)
    return float(found) if isinstance(found, (int, float)) else None


def connection(described: Mapping[str, Any], seconds: float) -> Connection:
    """A connection as it was described, none of whose calls takes longer than that, about."""
    from kombu.connection import Connection

    given = dict(described["connection"])
    bounds = _TIMEOUTS[given["transport"].partition(":")[0]]
    options = {**dict.fromkeys(bounds, seconds), **(given["transport_options"] or {})}
    return Connection(**{**given, "connect_timeout": seconds, "transport_options": options})


@contextlib.contextmanager
def opened(connection: Connection, seconds: float) -> Iterator[Connection]:
    """A connection that is there, from a single try.

    Raises:
        TimeoutError: If the broker does not answer in time; older kombus wrap it.
        Exception: Whatever the transport raises where it refuses.
    """
    with connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=seconds)
        except Exception as error:
            if isinstance(error.__cause__, TimeoutError):
                raise TimeoutError(f"no answer within {seconds:g} s") from error
            raise
        yield connection


def counts(
    connection: Connection, queues: Iterable[str]
) -> Iterator[tuple[str, int | None, int | None]]:
    """The messages and the consumers of each queue, as far as the broker tells.

    kombu's own transports make no difference between a queue that is empty and none, some answer
    to a passive declaration as if there were none, and none of them tells who consumes.

    Yields:
        The queue; its messages, ``None`` where there is no such queue; its consumers, or ``None``.
    """
    from amqp.exceptions import NotFound
    from kombu.transport import virtual

    for queue in queues:
        channel = connection.default_channel
        if isinstance(channel, virtual.Channel):
            yield queue, int(channel._size(queue)), None
            continue
        try:
            with connection.channel() as channel:  # which a refusal closes
                declared = channel.queue_declare(queue=queue, passive=True)
        except NotFound:
            yield queue, None, None
        else:
            yield queue, int(declared.message_count), int(declared.consumer_count)


def size(connection: Connection, queue: str) -> int | None:
    """Messages in ``queue``; ``None`` where the broker has no such queue."""
    return next(counts(connection, [queue]))[1]


def _transport(connection: Connection) -> str:
    """Kombu's own transport that it is, or is made of: a project may have one of its own."""
    for kind in connection.get_transport_cls().__mro__:
        if kind.__module__.startswith(_KOMBU) and not kind.__module__.startswith(_KOMBU + "virt"):
            return f"{kind.__module__}:{kind.__qualname__}"
    return ""
