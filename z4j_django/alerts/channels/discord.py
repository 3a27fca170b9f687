"""Discord, by a webhook of one of its channels."""

from __future__ import annotations

from typing import Annotated, Any, Final

from z4j_django.alerts import wording
from z4j_django.alerts.channels import posting
from z4j_django.alerts.channels.base import Answer, ChannelOptions, Kind, Sending
from z4j_django.alerts.message import Message, Problem

#: Characters of an embed's title, description and footer, and of all of them.
TITLE: Final = 256
DESCRIPTION: Final = 4_096
FOOTER: Final = 1_000
TOTAL: Final = 6_000
_COLOURS: Final = {"critical": 0xC0392B, "warning": 0xD68910, "resolved": 0x1E8449}
_MARKUP: Final = frozenset("\\*_~`|>#[]()<:@-")


class DiscordOptions(ChannelOptions, frozen=True, kw_only=True):
    """Where to."""

    url: Annotated[posting.URL, posting.secret_url("The webhook of a channel.")]


def escaped(character: str) -> str:
    """A character that is no markup, no link and no mention."""
    return f"\\{character}" if character in _MARKUP else character


def payload(message: Message) -> dict[str, Any]:
    """The message as one embed."""
    embed = {
        "title": wording.cut(wording.headline(message), TITLE, escaped),
        "description": _description(message),
        "color": _COLOURS["resolved" if message.status == "resolved" else message.severity],
        "timestamp": message.at.isoformat(),
        "footer": {"text": wording.cut(wording.origin(message), FOOTER)},
    }
    if message.url:
        embed["url"] = message.url
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _description(message: Message) -> str:
    """As many problems as there is place for."""
    parts: list[str] = []
    left = DESCRIPTION - len("And 1,000,000 more.\n\n")
    for one in message.problems[: wording.SPELLED_OUT]:
        part = _problem(one)
        if wording.units(part) + 2 > left:
            break
        parts.append(part)
        left -= wording.units(part) + 2
    return "\n\n".join((*parts, wording.rest(message, len(parts)))).strip()


def _problem(one: Problem) -> str:
    title = wording.cut(wording.titled(one), 600, escaped)
    if 0 < len(one.url) <= 500:
        title = f"[{title}]({one.url.replace('(', '%28').replace(')', '%29')})"
    lines = [f"**{title}**", wording.lasting(one)]
    lines += (wording.cut(text, 1_200, escaped) for text in wording.details(one))
    return "\n".join(lines)


def deliver(given: DiscordOptions, message: Message, sending: Sending) -> Answer:
    """Post the embed, and wait until it is there: without that Discord tells of no failure."""
    url = given.url + ("&" if "?" in given.url else "?") + "wait=true"
    return posting.post(given, url, posting.as_json(payload(message)), sending)


KIND: Final = Kind(
    key="discord",
    title="Discord",
    about="Posts to a webhook of one of its channels.",
    options=DiscordOptions,
    deliver=deliver,
    place=lambda given: posting.host(given.url),
)
