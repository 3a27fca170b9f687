"""Messages as the broker delivered them, kept so that they can be published once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from z4j_django.agent import encoding, events, messages

#: Bytes of a body that is kept, unless the settings say otherwise.
LIMIT: Final = 1024**2
#: Characters of a message's headers, and of its properties.
ROOM: Final = 64 * 1024

#: Properties that the transport makes for each delivery, and what stands elsewhere already.
_OF_THE_DELIVERY: Final = (
    "delivery_info",
    "delivery_tag",
    "body_encoding",
    "application_headers",
    "content_type",
    "content_encoding",
)


def original(message: Any, limit: int) -> events.Original | None:
    """The original of a message that a worker received.

    The body is never decoded. kombu has decompressed it if its header ``compression`` names a
    method; the header stays, so that whoever publishes it again can compress it the same way.

    Args:
        message: kombu's.
        limit: Bytes of a body that is kept; of a larger one only the size is.

    Returns:
        The original, or ``None`` where the body is in no form that a broker delivers.
    """
    found = _body(message, limit)
    if found is None:
        return None
    size, body = found
    headers, lost_headers = _members(message.headers, (messages.HEADER,))
    properties, lost_properties = _members(message.properties, _OF_THE_DELIVERY)
    delivery = message.delivery_info or {}
    return events.Original(
        size=size,
        body=body,
        content_type=messages.text(message.content_type),
        content_encoding=messages.text(message.content_encoding),
        headers=headers,
        properties=properties,
        exchange=messages.text(delivery.get("exchange")),
        routing_key=messages.text(delivery.get("routing_key")),
        left_out=(*lost_headers, *lost_properties),
    )


def _body(message: Any, limit: int) -> tuple[int, bytes] | None:
    """The size of a message's body, and the body unless it is larger than ``limit``."""
    body = message.body
    kind = type(body)
    if kind is str:
        # py-amqp decodes what says its encoding. The bytes are no fewer than the characters.
        if len(body) > limit:
            return len(body), b""
        try:
            body = body.encode(message.content_encoding or "utf-8")
        except (LookupError, TypeError, UnicodeError):
            return None
    elif kind is memoryview:
        return body.nbytes, bytes(body) if body.nbytes <= limit else b""
    elif kind is not bytes and kind is not bytearray:
        return None
    return len(body), bytes(body) if len(body) <= limit else b""


def _members(given: Any, but: tuple[str, ...]) -> tuple[msgspec.Raw, Sequence[str]]:
    """What can be kept of headers or properties."""
    if not issubclass(type(given), dict):
        return events.EMPTY, ()
    members = given.copy() if type(given) is dict else dict(dict.items(given))
    for name in but:
        members.pop(name, None)
    return encoding.encode_members(members, ROOM)
