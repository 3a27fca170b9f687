"""What a kind of channel is, what it is sent, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from msgspec import UNSET

from z4j_django import logs, options
from z4j_django.alerts import wording
from z4j_django.alerts.message import Message
from z4j_django.options import Options
from z4j_django.secrets.masking import MASK, mask_text

logger = logs.logger("z4j_django.alerts")

#: ``unknown``: it may have arrived. ``later``: it did not, and may the next time.
Outcome = Literal["sent", "refused", "later", "unknown"]

#: Characters of what an answer said.
ANSWER_LENGTH: Final = 300
#: Seconds after which to try again, whatever a service asks for.
LONGEST_PAUSE: Final = 3_600.0
#: Characters from which on a part of a secret is one itself.
_SECRET_PART: Final = 6
_SEPARATORS: Final = re.compile("[/?&=:@]")


class ChannelOptions(Options, frozen=True, kw_only=True):
    """How one channel is reached. What is secret in it is in no repr."""

    def __repr__(self) -> str:
        known = options.described(type(self))
        shown = ", ".join(
            f"{name}={MASK if one.secret else repr(getattr(self, name))}"
            for name, one in known.items()
            if getattr(self, name) is not UNSET
        )
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        known = options.described(type(self))
        return [(name, MASK if one.secret else getattr(self, name)) for name, one in known.items()]


@dataclass(frozen=True)
class Sending:
    """How to send.

    Attributes:
        timeout: Seconds for all of it.
        allows_private: Whether targets may be such as only this host or its network reaches.
        base_url: The absolute address of the first page; empty where none is known.
    """

    timeout: float = 10.0
    allows_private: bool = False
    base_url: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of sending a message once.

    Attributes:
        outcome: In a word.
        text: What was said, in one line; nothing secret is in it.
        retry_after: Seconds for which the service wants to be left alone.
    """

    outcome: Outcome
    text: str
    retry_after: float | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of channel, declared once.

    Attributes:
        key: Its name, such as ``slack``.
        title: The same for people.
        about: What it is, in a sentence or two: the docs' table is made of it.
        options: How one is reached.
        deliver: Sends a message that was prepared; :meth:`send` is what to call.
        place: Where one sends to, in a few words without a secret: the host, the addresses.
        is_idempotent: Whether the same message sent twice is one alert there.
        repeats: Seconds after which a firing message is sent again, to stay alive there.
    """

    key: str
    title: str
    about: str
    options: type[ChannelOptions]
    deliver: Callable[[Any, Message, Sending], Answer]
    place: Callable[[Any], str]
    is_idempotent: bool = False
    repeats: float | None = None

    def send(self, given: ChannelOptions, message: Message, sending: Sending) -> Answer:
        """Send a message once. It never raises, and takes no longer than it may.

        Args:
            given: Of the channel.
            message: As it was written; it is made fit to be shown here.
            sending: How.
        """
        try:
            return self.deliver(given, wording.prepared(message), sending)
        except Exception as error:
            # Its text, and what it stands on, may hold what is secret.
            logger.error("Sending by %s failed with %s", self.key, type(error).__name__)
            return Answer("unknown", f"Sending failed here, with {type(error).__name__}.")


def secret_names(kind: Kind) -> tuple[str, ...]:
    """The options of a kind that are kept sealed, and never shown again."""
    known = options.described(kind.options)
    return tuple(name for name, one in known.items() if one.secret)


def said(text: str, given: ChannelOptions) -> str:
    """What somebody said, in one line without what is secret in a channel's options."""
    if secrets := _secrets(given):
        text = re.sub("|".join(map(re.escape, secrets)), MASK, text, flags=re.IGNORECASE)
    return wording.line(mask_text(text), ANSWER_LENGTH)


def _secrets(given: ChannelOptions) -> list[str]:
    """All that must not be told, the longest first: the secret options, and parts of URLs."""
    found: set[str] = set()
    for name, one in options.described(type(given)).items():
        value = getattr(given, name)
        if one.secret and isinstance(value, str) and value:
            found |= {value, *_parts(value)}
    found |= {unquote(one) for one in found} | {one.replace("/", "\\/") for one in found}
    return sorted(found, key=lambda one: (-len(one), one))


def _parts(value: str) -> Iterator[str]:
    if "://" not in value:
        return
    try:
        parts = urlsplit(value)
    except ValueError:
        return
    pieces = [parts.path, parts.query, *_SEPARATORS.split(parts.path + "?" + parts.query)]
    if parts.scheme not in ("http", "https"):  # apprise's, whose hosts may be tokens
        pieces += [parts.netloc, *_SEPARATORS.split(parts.netloc)]
    for piece in pieces:
        if len(piece) >= _SECRET_PART:
            yield piece
