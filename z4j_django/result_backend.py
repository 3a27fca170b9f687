"""The result backend as far as it counts the members of a chord, without Celery.

A shipper that knows nothing of the project asks it. So a client is imported when it is asked, and
not before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

#: The backends whose counters can be read; and the modules that they are in.
REDIS: Final = "redis"
DJANGO: Final = "django-db"
_REDIS: Final = "celery.backends.redis"
_DJANGO: Final = "django_celery_results.backends.database"
#: What a client has to be told, and how it may be connected, by the names of redis-py's classes.
_OPTIONS: Final = frozenset({"host", "port", "db", "username", "password", "path"})
_CONNECTIONS: Final = ("Connection", "SSLConnection", "UnixDomainSocketConnection")
#: What stands in the place of a worker's claim once the body was published.
_DONE: Final = b"done"


@dataclass(frozen=True)
class Counter:
    """How far the result backend has counted the members of a chord.

    Attributes:
        counted: Members whose ends it has counted.
        size: Members that it waits for; ``None`` where it does not know.
        is_claimed: Whether a worker has said that it is about to publish the body.
        is_done: Whether a worker has said that it did.
    """

    counted: int
    size: int | None
    is_claimed: bool = False
    is_done: bool = False


def describe(app: Any) -> dict[str, Any]:
    """What another process needs to read the counters of a Celery app's chords, as plain data.

    Returns:
        ``kind``, ``REDIS`` or ``DJANGO`` where they can be read; ``polls``, whether there are
        none, as a task of Celery's asks for the results; for Redis the ``connection`` and what its
        keys begin with, ``prefix``; or else why they can't be read, ``unknown``.
    """
    backend = app.backend
    kinds = {kind.__module__ for kind in type(backend).__mro__}
    found: dict[str, Any] = {"kind": "", "polls": False, "connection": {}, "prefix": ""}
    name = type(backend).__name__
    if _DJANGO in kinds:
        return {**found, "kind": DJANGO, "unknown": ""}
    if _REDIS not in kinds:
        # Of those that count, each does so in its own way, and needs a client of its own.
        polls = not getattr(backend, "implements_incr", False)
        return {**found, "polls": polls, "unknown": f"{name} is not read by z4j"}
    given = dict(backend.connparams)
    connection = {
        key: value
        for key, value in given.items()
        if value is not None and (key in _OPTIONS or key.startswith("ssl_"))
    }
    if (by := given.get("connection_class")) is not None:
        connection["by"] = by.__name__
    is_known = connection.get("by", _CONNECTIONS[0]) in _CONNECTIONS
    # Sentinel has many hosts, and a token is no option.
    is_known &= given.keys().isdisjoint(("hosts", "sentinels", "credential_provider"))
    with contextlib.suppress(TypeError, ValueError):
        if is_known and connection == msgspec.json.decode(msgspec.json.encode(connection)):
            prefix = bytes(backend.get_key_for_group("-"))[:-1].decode()
            found |= {"kind": REDIS, "connection": connection, "prefix": prefix}
            return {**found, "unknown": ""}
    return {**found, "unknown": f"the options of {name} can't be handed over"}


def read(
    described: Mapping[str, Any], group_ids: Sequence[str], seconds: float
) -> dict[str, Counter]:
    """The counters of some chords in Redis, none of whose calls takes longer than that, about.

    Args:
        described: What ``describe`` told.
        group_ids: Of the chords.
        seconds: How long a call may take.

    Raises:
        Exception: Whatever the client raises.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options = dict(described["connection"])
    by: Callable[..., Any] = getattr(redis, options.pop("by", _CONNECTIONS[0]))
    bounds = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    once = {"retry_on_timeout": False, "retry": Retry(NoBackoff(), 0), "max_connections": 1}
    pool = redis.ConnectionPool(connection_class=by, **{**options, **bounds, **once})
    try:
        pipeline = redis.Redis(connection_pool=pool).pipeline(transaction=False)
        for group_id in group_ids:
            key = f"{described['prefix']}{group_id}"
            for name in ("s", "t", "c"):
                pipeline.get(f"{key}.{name}")
            pipeline.zcard(f"{key}.j")
            pipeline.llen(f"{key}.j")  # which of the two it is, a setting says
        answers = pipeline.execute(raise_on_error=False)
    finally:
        pool.disconnect()
    rows = [answers[first : first + 5] for first in range(0, len(answers), 5)]
    return {group_id: _counter(*row) for group_id, row in zip(group_ids, rows, strict=True)}


def _counter(size: Any, more: Any, claim: Any, ordered: Any, listed: Any) -> Counter:
    for answer in (size, more, claim):
        if isinstance(answer, Exception):
            raise answer
    counted = ordered if isinstance(ordered, int) else listed
    if isinstance(counted, Exception):
        raise counted
    whole = None if size is None else int(size) + int(more or 0)
    return Counter(counted, whole, bool(claim) and claim != _DONE, claim == _DONE)
