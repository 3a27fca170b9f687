"""Slack, and what takes its incoming webhooks: Mattermost, Rocket.Chat."""

from __future__ import annotations

from typing import Annotated, Any, Final

from z4j_django.alerts import wording
from z4j_django.alerts.channels import posting
from z4j_django.alerts.channels.base import Answer, ChannelOptions, Kind, Sending
from z4j_django.alerts.message import Message, Problem

#: Characters of a header, of a section, whose parts are bounded so that they fit, and of the
#: text that notifications show.
HEADER: Final = 150
SECTION: Final = 3_000
TEXT: Final = 3_000
#: Bytes of a message.
_LENGTH: Final = 40_000
_ESCAPED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


class SlackOptions(ChannelOptions, frozen=True, kw_only=True):
    """Where to."""

    url: Annotated[
        posting.URL, posting.secret_url("The incoming webhook; its channel is chosen there.")
    ]


def escaped(character: str) -> str:
    """A character as Slack's own markup shows it: three of them make links and mentions."""
    return _ESCAPED.get(character, character)


def payload(message: Message, count: int = wording.SPELLED_OUT) -> dict[str, Any]:
    """The message in blocks."""
    told = message.problems[:count]
    headline = wording.headline(message)
    header = {"type": "plain_text", "text": wording.cut(headline, HEADER), "emoji": False}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": header}]
    blocks += ({"type": "section", "text": _markup(_section(one))} for one in told)
    foot = (wording.rest(message, len(told)), wording.origin(message))
    blocks.append({"type": "context", "elements": [_markup(_foot(foot, message.url))]})
    return {
        "text": wording.cut(wording.plain(message).strip(), TEXT, escaped),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _markup(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _section(one: Problem) -> str:
    title = wording.cut(wording.titled(one), 400, escaped)
    lines = [f"*{_link(one.url, title)}*", wording.lasting(one)]
    lines += (wording.cut(text, 900, escaped) for text in wording.details(one))
    return "\n".join(lines)


def _foot(texts: tuple[str, ...], url: str) -> str:
    lines = [wording.cut(text, 500, escaped) for text in texts if text]
    if url:
        lines.append(_link(url, "All that is wrong"))
    return "\n".join(lines)


def _link(url: str, title: str) -> str:
    """A link by its title; one that would not fit is left out."""
    shown = url.replace("&", "&amp;")
    return f"<{shown}|{title}>" if 0 < len(shown) <= 600 else title


def deliver(given: SlackOptions, message: Message, sending: Sending) -> Answer:
    """Post the blocks."""
    body = posting.fitted(lambda count: payload(message, count), wording.SPELLED_OUT, _LENGTH)
    return posting.post(given, given.url, body, sending)


KIND: Final = Kind(
    key="slack",
    title="Slack",
    about="Posts to an incoming webhook of Slack, Mattermost or Rocket.Chat.",
    options=SlackOptions,
    deliver=deliver,
    place=lambda given: posting.host(given.url),
)
