"""How messages are looked at and taken out of a queue, by transport.

A message must be saved before the broker forgets it, and a process may be killed at any moment.
RabbitMQ holds a message that was delivered and not acknowledged, and gives it back. kombu's Redis
and file-system transports take it out first and note that it is out, if at all, a moment later:
whoever is killed in between has lost it. So there the messages are read where they lie, and
removed one by one once they are saved.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from kombu.connection import Connection
from kombu.transport import filesystem, memory
from kombu.utils.json import loads

from z4j_django.agent import encoding, messages, originals
from z4j_django.agent.events import Original
from z4j_django.exceptions import OperationError

#: No limit: what is not kept could not be put back.
_ANY_SIZE: Final = 2**63
_NOTHING: Final = Original(size=0)
_WHY_NOT: Final = (
    "The broker shows its messages to those alone who take them: to look at them would hold them "
    "back from the workers, and mark each as delivered before."
)
#: Characters of our own header.
_STAMP: Final = 4_096


@dataclass(frozen=True)
class Found:
    """A message in a queue.

    Attributes:
        original: As it is to be saved; nothing where it can't be.
        why_not: Why it can't be saved, in words; empty where it can.
        headers: Of the message.
        delivery: Its delivery's address.
        handle: What the reader removes it by.
    """

    original: Original = _NOTHING
    why_not: str = ""
    headers: dict[str, Any] = field(default_factory=dict, repr=False)
    delivery: dict[str, Any] = field(default_factory=dict, repr=False)
    handle: Any = field(default=None, repr=False)


class Reader(ABC):
    """Reads a queue from the message that is next on, and removes what it is told to."""

    def __init__(self, channel: Any, queue: str) -> None:
        self._channel = channel
        self._queue = queue

    @abstractmethod
    def read(self, limit: int) -> list[Found]:
        """The next messages, ``limit`` at most; none at the end of the queue."""

    @abstractmethod
    def remove(self, found: Sequence[Found]) -> list[bool]:
        """Remove messages that were read; ``False`` for what somebody else took meanwhile."""

    def peek(self, limit: int) -> list[Found]:
        """The first messages, ``limit`` at most, which stay where and as they are.

        Raises:
            OperationError: If the transport has no way to.
        """
        return self.read(limit)

    def give_back(self) -> None:  # noqa: B027  # most never took what they did not remove
        """Let others have what was read and not removed."""


def reader(connection: Connection, queue: str) -> Reader:
    """What reads ``queue`` on the transport of ``connection``."""
    channel = connection.default_channel
    if isinstance(channel, filesystem.Channel):
        return _Files(channel, queue)
    if connection.transport.driver_type == "redis":
        return _RedisLists(channel, queue)
    if isinstance(channel, memory.Channel):
        return _Memory(channel, queue)
    return _Deliveries(channel, queue)


class _Deliveries(Reader):
    """Messages that are delivered, and acknowledged when they are saved."""

    def __init__(self, channel: Any, queue: str) -> None:
        super().__init__(channel, queue)
        self._held: dict[Any, None] = {}

    def read(self, limit: int) -> list[Found]:
        found: list[Found] = []
        while len(found) < limit:
            raw = self._channel.basic_get(self._queue, no_ack=False)
            if raw is None:
                break
            message = self._channel.message_to_python(raw)
            self._held[message.delivery_tag] = None
            found.append(_found(message, message.delivery_tag))
        return found

    def remove(self, found: Sequence[Found]) -> list[bool]:
        for each in found:
            self._channel.basic_ack(each.handle)
            del self._held[each.handle]
        # Its answer says that the broker has read the acknowledgements.
        self._channel.queue_declare(queue=self._queue, passive=True)
        return [True] * len(found)

    def peek(self, limit: int) -> list[Found]:
        raise OperationError(_WHY_NOT)

    def give_back(self) -> None:
        for tag in self._held:
            self._channel.basic_reject(tag, requeue=True)


class _Memory(_Deliveries):
    """Messages in this very process."""

    def peek(self, limit: int) -> list[Found]:
        lying = self._channel._queue_for(self._queue).queue
        payloads = list(itertools.islice(lying, limit))
        return [_made(self._channel, functools.partial(dict, one), None) for one in payloads]


class _RedisLists(Reader):
    """Messages in the lists of Redis, one for each priority; the next one is the last item."""

    def __init__(self, channel: Any, queue: str) -> None:
        super().__init__(channel, queue)
        from redis import Redis

        # The channel's own client puts the prefix before the keys of some commands only.
        self._client = Redis(connection_pool=channel.pool)
        prefix = getattr(channel, "global_keyprefix", "")
        steps = dict.fromkeys(channel.priority_steps)
        self._keys = [prefix + channel._q_for_pri(queue, step) for step in steps]
        self._seen = dict.fromkeys(self._keys, 0)

    def read(self, limit: int) -> list[Found]:
        found: list[Found] = []
        for key in self._keys:
            seen = self._seen[key]
            wanted = limit - len(found)
            if not wanted:
                break
            items: Any = self._client.lrange(key, -seen - wanted, -seen - 1)
            self._seen[key] += len(items)
            found += [_parsed(self._channel, item, (key, item)) for item in reversed(items)]
        return found

    def remove(self, found: Sequence[Found]) -> list[bool]:
        with self._client.pipeline(transaction=False) as pipe:
            for each in found:
                key, item = each.handle
                pipe.lrem(key, -1, item)
            removed = [bool(count) for count in pipe.execute()]
        for each in found:  # what went, by us or by a worker, stood behind what is to be read
            self._seen[each.handle[0]] -= 1
        return removed


class _Files(Reader):
    """Messages in files, whose names are in the order of their time."""

    def __init__(self, channel: Any, queue: str) -> None:
        super().__init__(channel, queue)
        self._folder = Path(channel.data_folder_in)
        self._names: list[str] = []
        self._seen: set[str] = set()

    def read(self, limit: int) -> list[Found]:
        if not self._names:
            self._names = self._listed()
        found: list[Found] = []
        while self._names and len(found) < limit:
            name = self._names.pop()
            self._seen.add(name)
            with contextlib.suppress(FileNotFoundError):
                data = (self._folder / name).read_bytes()
                found.append(_parsed(self._channel, data, name))
        return found

    def remove(self, found: Sequence[Found]) -> list[bool]:
        return [self._remove(each.handle) for each in found]

    def _remove(self, name: str) -> bool:
        try:
            os.remove(self._folder / name)
        except FileNotFoundError:
            return False
        finally:
            self._seen.discard(name)
        return True

    def _listed(self) -> list[str]:
        """Names that were not seen yet, the first one last."""
        ending = f"{self._queue}.msg"
        names = (name for name in os.listdir(self._folder) if name.partition(".")[2] == ending)
        return sorted((name for name in names if name not in self._seen), reverse=True)


def _parsed(channel: Any, data: bytes, handle: Any) -> Found:
    """A message in kombu's envelope, which anybody may have written."""
    return _made(channel, lambda: loads(data.decode()), handle)


def _made(channel: Any, payload: Callable[[], Any], handle: Any) -> Found:
    try:
        message = channel.Message(payload(), channel=channel)
    except Exception as error:  # whatever its parts make of what is no envelope
        why_not = f"it is no message of kombu's ({type(error).__name__})"
        return Found(_NOTHING, why_not, handle=handle)
    return _found(message, handle)


def _found(message: Any, handle: Any) -> Found:
    if not isinstance(message.delivery_info, dict):  # the sender's, on a transport of kombu's own
        message.delivery_info = {}
    if message.errors:
        return Found(_NOTHING, "its body can't be decompressed", handle=handle)
    original = originals.original(message, _ANY_SIZE)
    if original is None:
        return Found(_NOTHING, "its body is neither bytes nor text", handle=handle)
    headers = message.headers if isinstance(message.headers, dict) else {}
    return Found(_stamped(original, headers), "", headers, message.delivery_info, handle)


def _stamped(original: Original, headers: dict[str, Any]) -> Original:
    """With our own header too: it is the same message that goes back."""
    if messages.HEADER not in headers:
        return original
    stamp, _ = encoding.encode_members({messages.HEADER: headers[messages.HEADER]}, _STAMP)
    members = msgspec.json.decode(original.headers) | msgspec.json.decode(stamp)
    return msgspec.structs.replace(original, headers=msgspec.Raw(msgspec.json.encode(members)))
