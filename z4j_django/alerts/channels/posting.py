"""Posting JSON to a service, and what its answer means: the same for all that take HTTP."""

from __future__ import annotations

import email.utils
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from z4j_django.alerts import http, targets
from z4j_django.alerts.channels.base import (
    LONGEST_PAUSE,
    Answer,
    ChannelOptions,
    Sending,
    said,
)
from z4j_django.options import option

#: Bytes of an answer that are looked at for what it says.
_LOOKED_AT: Final = 4_096
_PAGE: Final = (b"<!doctype html", b"<html")

#: A URL that ``targets`` takes; see :func:`secret_url`.
URL: TypeAlias = Annotated[
    str,
    Meta(min_length=1, max_length=targets.URL_LENGTH, extra_json_schema={"format": "uri"}),
]
#: What stands in a header: visible ASCII characters.
Token: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1_000)]


def _wrong_token(token: str) -> str:
    if token.isascii() and token.isprintable() and " " not in token:
        return ""
    return "A token has ASCII characters, and no spaces."


def token_option(help: str) -> Meta:
    """What stands beside the type of a token."""
    return option(help, check=_wrong_token, secret=True)


def secret_url(help: str) -> Meta:
    """What stands beside the type of a URL that is all that it takes to write there."""
    return option(help, label="URL", metavar="URL", check=targets.wrong_url, secret=True)


def host(url: str) -> str:
    """The host and port of a URL: what may be told of where a message goes."""
    return urlsplit(url).netloc.rpartition("@")[2]


def post(
    given: ChannelOptions,
    url: str,
    body: bytes,
    sending: Sending,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Post JSON, and tell what came of it.

    Args:
        given: The channel's options: what is secret in them is not told.
        url: Where to.
        body: The JSON.
        sending: How.
        headers: More headers.
    """
    try:
        reply = http.post(
            url,
            body,
            {
                "Content-Type": "application/json",
                "Accept": "application/json, */*",
                "User-Agent": "django-z4j",
                **(headers or {}),
            },
            timeout=sending.timeout,
            allows_private=sending.allows_private,
        )
    except http.RefusedError as error:
        return Answer("refused", said(str(error), given))
    except http.UnsentError as error:
        return Answer("later", said(str(error), given))
    except http.UnansweredError as error:
        return Answer("unknown", said(str(error), given))
    return answer(reply, given)


def as_json(payload: Any) -> bytes:
    """A payload as it is posted."""
    return msgspec.json.encode(payload)


def fitted(make: Callable[[int], Any], count: int, limit: int) -> bytes:
    """A payload that tells of as many problems as go into so many bytes; of one at least.

    Args:
        make: The payload that tells of so many.
        count: How many there are to tell of.
        limit: Bytes.
    """
    body = as_json(make(count))
    while len(body) > limit and count > 1:
        count = max(count // 2, 1)
        body = as_json(make(count))
    return body


def bearer(token: Any) -> dict[str, str]:
    """The header of a token; nothing without one."""
    return {"Authorization": f"Bearer {token}"} if isinstance(token, str) else {}


def answer(reply: http.Reply, given: ChannelOptions) -> Answer:
    """What an answer means."""
    text = f"{reply.status}{_text(reply, given)}"
    if reply.status == 429 or reply.status >= 500:
        return Answer("later", text, _pause(reply.headers))
    if not 200 <= reply.status < 300 or _is_page(reply):
        return Answer("refused", text)
    return Answer("sent", text)


def _text(reply: http.Reply, given: ChannelOptions) -> str:
    """What was said besides the status."""
    if 300 <= reply.status < 400:
        return ": it leads elsewhere, and redirects are not followed."
    if _is_page(reply):
        return ": it answered with a web page, which no receiver of messages does."
    body = reply.body.decode(errors="replace").strip()
    if not reply.is_whole:  # a secret may be cut
        body = body[: -targets.URL_LENGTH]
    shown = said(body, given)
    return f": {shown}" if shown else ""


def _is_page(reply: http.Reply) -> bool:
    return reply.body[:_LOOKED_AT].lstrip().lower().startswith(_PAGE)


def _pause(headers: Mapping[str, str]) -> float | None:
    """What ``Retry-After`` asks for, in seconds; an hour at most."""
    asked = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    asked = asked.strip()
    try:
        pause = float(asked) if asked[:1].isdigit() else _until(asked)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(pause, 0.0), LONGEST_PAUSE)


def _until(date: str) -> float:
    at = email.utils.parsedate_to_datetime(date)
    return (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
