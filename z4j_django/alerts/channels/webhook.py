"""A webhook: Alertmanager's payload, signed."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Annotated, Final

from msgspec import UNSET, Meta, UnsetType

from z4j_django.alerts.channels import posting, prometheus
from z4j_django.alerts.channels.base import Answer, ChannelOptions, Kind, Sending
from z4j_django.alerts.message import Message
from z4j_django.options import option

#: Seconds since the epoch at which a body was signed.
TIMESTAMP: Final = "X-Z4J-Timestamp"
#: ``sha256=`` and the hexadecimal HMAC-SHA256 of the timestamp, a full stop and the body.
SIGNATURE: Final = "X-Z4J-Signature"
#: Each attempt at a delivery has the same.
DELIVERY: Final = "Idempotency-Key"


class WebhookOptions(ChannelOptions, frozen=True, kw_only=True):
    """Where to, and what it is signed with."""

    url: Annotated[posting.URL, posting.secret_url("Where to, with `https://` or `http://`.")]
    key: Annotated[
        Annotated[str, Meta(min_length=16, max_length=255)] | UnsetType,
        option(
            "The key that bodies are signed with, known to the receiver. By default they are not "
            "signed.",
            secret=True,
        ),
    ] = UNSET
    token: Annotated[
        posting.Token | UnsetType,
        posting.token_option("A token that is sent along as `Authorization: Bearer`."),
    ] = UNSET


def signature(key: str, timestamp: str, body: bytes) -> str:
    """What a body is signed with."""
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()


def deliver(given: WebhookOptions, message: Message, sending: Sending) -> Answer:
    """Post the payload."""
    body = posting.as_json(prometheus.webhook(message, sending.base_url))
    headers = {DELIVERY: message.id, **posting.bearer(given.token)}
    if isinstance(given.key, str):
        timestamp = str(int(time.time()))
        headers |= {
            TIMESTAMP: timestamp,
            SIGNATURE: signature(given.key, timestamp, body),
        }
    return posting.post(given, given.url, body, sending, headers)


KIND: Final = Kind(
    key="webhook",
    title="Webhook",
    about="Posts the payload of Alertmanager's webhooks, version 4, signed with HMAC-SHA256.",
    options=WebhookOptions,
    deliver=deliver,
    place=lambda given: posting.host(given.url),
)
