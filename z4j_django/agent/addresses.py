"""Which queue an address means: an exchange and a routing key."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

#: What native delayed delivery puts before a routing key: one bit a level, for as many levels as
#: kombu declares. The exchange is one of its own then, and the queue is bound to none of them.
_DELAY: Final = re.compile(r"(?:[01]\.){28}")
_WILD: Final = re.compile(r"[*#]")


def queue_at(queues: Mapping[str, Any], exchange: str, routing_key: str) -> str:
    """The queue that gets what is published to an address, or nothing where none is known.

    Args:
        queues: An app's, by name.
        exchange: Its name; empty for the default exchange, whose routing keys are queues.
        routing_key: As it was published or delivered.
    """
    if not exchange:
        return routing_key
    delay = _DELAY.match(routing_key)
    if delay is not None:
        routing_key = routing_key[delay.end() :]
    by_pattern = ""
    for name, queue in list(queues.items()):
        for bound_to, pattern in _bindings(queue):
            if delay is None and bound_to.name != exchange:
                continue
            if delay is not None and bound_to.type == "direct":
                continue  # which has no delayed delivery
            if pattern == routing_key:
                return str(queue.alias or name)
            if bound_to.type == "topic" and not by_pattern and _fits(pattern, routing_key):
                by_pattern = str(queue.alias or name)
    return by_pattern


def _bindings(queue: Any) -> Iterator[tuple[Any, str]]:
    """Exchanges that a queue is bound to, and under which keys."""
    if queue.exchange is not None:
        yield queue.exchange, queue.routing_key or ""
    for binding in queue.bindings or ():
        if binding.exchange is not None:
            yield binding.exchange, binding.routing_key or ""


def _fits(pattern: str, routing_key: str) -> bool:
    return _WILD.search(pattern) is not None and bool(_topic(pattern).fullmatch("." + routing_key))


@functools.lru_cache(maxsize=512)
def _topic(pattern: str) -> re.Pattern[str]:
    """A topic's pattern, of words that begin with a dot: ``*`` is one, ``#`` any number."""
    words = {"*": r"\.[^.]*", "#": r"(?:\.[^.]*)*"}
    found = "".join(words.get(word, r"\." + re.escape(word)) for word in pattern.split("."))
    return re.compile(found)
