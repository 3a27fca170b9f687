"""Microsoft Teams, by a workflow of Power Automate that posts the cards it is sent."""

from __future__ import annotations

from typing import Annotated, Any, Final

from z4j_django.alerts import wording
from z4j_django.alerts.channels import posting
from z4j_django.alerts.channels.base import Answer, ChannelOptions, Kind, Sending
from z4j_django.alerts.message import Message, Problem

#: Bytes of a message; Teams takes 28 KB, its own among them.
LENGTH: Final = 26 * 1024
_CARD: Final = "application/vnd.microsoft.card.adaptive"
_COLOURS: Final = {"critical": "Attention", "warning": "Warning", "resolved": "Good"}


class TeamsOptions(ChannelOptions, frozen=True, kw_only=True):
    """Where to."""

    url: Annotated[
        posting.URL,
        posting.secret_url(
            "The URL of a workflow that begins when a webhook is called and posts its card."
        ),
    ]


def payload(message: Message, count: int = wording.SPELLED_OUT) -> dict[str, Any]:
    """The message as an adaptive card."""
    told = message.problems[:count]
    colour = _COLOURS["resolved" if message.status == "resolved" else message.severity]
    body = [_text(wording.headline(message), size="Large", weight="Bolder", color=colour)]
    for one in told:
        body += _problem(one)
    if rest := wording.rest(message, len(told)):
        body.append(_text(rest))
    body.append(_text(wording.origin(message), isSubtle=True, size="Small"))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": _actions(message),
    }
    attachment = {"contentType": _CARD, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _text(text: str, **look: Any) -> dict[str, Any]:
    """A paragraph. In runs of text nothing is markup, as it is in a ``TextBlock``."""
    run = {"type": "TextRun", "text": text, **look}
    return {"type": "RichTextBlock", "inlines": [run]}


def _problem(one: Problem) -> list[dict[str, Any]]:
    paragraphs = [
        {**_text(wording.titled(one), weight="Bolder"), "separator": True, "spacing": "Medium"},
        _text(wording.lasting(one), isSubtle=True),
    ]
    return paragraphs + [_text(text) for text in wording.details(one)]


def _actions(message: Message) -> list[dict[str, Any]]:
    first = message.problems[0]
    links = (("Open", first.url), ("All that is wrong", message.url))
    return [{"type": "Action.OpenUrl", "title": title, "url": url} for title, url in links if url]


def deliver(given: TeamsOptions, message: Message, sending: Sending) -> Answer:
    """Post the card."""
    body = posting.fitted(lambda count: payload(message, count), wording.SPELLED_OUT, LENGTH)
    return posting.post(given, given.url, body, sending)


KIND: Final = Kind(
    key="teams",
    title="Microsoft Teams",
    about="Posts an adaptive card to a workflow of Power Automate.",
    options=TeamsOptions,
    deliver=deliver,
    place=lambda given: posting.host(given.url),
)
