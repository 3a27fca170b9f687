"""How a message reads. Pure.

Names of tasks and texts of exceptions come from whoever may send a task. So each text is one line
of characters that show what they are, and each form of a message escapes it in its own way.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

from z4j_django.alerts.message import PROBLEMS, Message, Problem
from z4j_django.values import SHORT, clean, counted, duration

#: Characters of a subject, and of evidence and remedy.
SUBJECT_LENGTH: Final = 200
TEXT_LENGTH: Final = 1_000
URL_LENGTH: Final = 2_000
#: Problems that a letter or a chat's message spells out.
SPELLED_OUT: Final = 20

#: Controls, what turns the direction of a line or hides, tags, and halves of surrogate pairs.
_UNSHOWN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SPACES: Final = re.compile(r"[\s\u2028\u2029]+")
_IN_URLS: Final = "/?&=#:;,@!$+%~-._"

_TEST: Final = "This is a test: nothing is wrong."


def line(text: str, length: int = TEXT_LENGTH) -> str:
    """A text in one line of characters that show what they are; a long one is cut."""
    shown = _UNSHOWN.sub("�", _SPACES.sub(" ", text[: length * 2])).strip()
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def url(text: str) -> str:
    """An address that any form may hold as it is; empty where it is none of a page."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc or len(text) > URL_LENGTH:
        return ""
    return quote(text, safe=_IN_URLS, errors="replace")


def units(text: str) -> int:
    """The UTF-16 units of a text, which is what services count: an emoji takes two."""
    return len(text.encode("utf-16-le", "replace")) // 2


def cut(text: str, length: int, escape: Callable[[str], str] = str) -> str:
    """A text, escaped, that takes so many UTF-16 units at most.

    Args:
        text: The text.
        length: Units.
        escape: What stands for a character.
    """
    parts: list[str] = []
    size = 0
    for character in text:
        escaped = escape(character)
        size += units(escaped)
        parts.append(escaped)
        if size > length:
            break
    else:
        return "".join(parts)
    while parts and size > length - 1:
        size -= units(parts.pop())
    return "".join(parts) + "…"


def prepared(message: Message) -> Message:
    """A message whose texts may be shown, and are bounded; a test has a problem to tell."""
    problems = message.problems
    if not problems:
        problems = (_of_test(message),)
    over = max(len(problems) - PROBLEMS, 0)
    end = message.at if message.status == "resolved" else None
    return replace(
        message,
        rule=line(message.rule, SHORT),
        group=clean(message.group, TEXT_LENGTH),
        project=line(message.project, SHORT),
        environment=line(message.environment, SHORT),
        release=line(message.release, SHORT),
        problems=tuple(_prepared(one, end) for one in problems[:PROBLEMS]),
        more=message.more + over,
        url=url(message.url),
    )


def _of_test(message: Message) -> Problem:
    return Problem(
        key="test",
        title="The channel works",
        severity="warning",
        subject="",
        evidence=_TEST,
        remedy="Nothing is to be done.",
        since=message.at,
    )


def _prepared(one: Problem, end: datetime | None) -> Problem:
    until = one.until or end
    return replace(
        one,
        until=None if until is None else max(until, one.since),
        title=line(one.title, SHORT),
        subject=line(one.subject, SHORT),
        evidence=line(one.evidence),
        remedy=line(one.remedy),
        url=url(one.url),
    )


def headline(message: Message) -> str:
    """What it is about, in one line: the subject of a letter."""
    first = message.problems[0]
    others = len(message.problems) - 1 + message.more
    what = named(first) + (f", and {counted(others, 'more', 'more')}" if others else "")
    return line(f"[{place(message)}] {state(message)}: {what}", SUBJECT_LENGTH)


def state(message: Message) -> str:
    """What it says, in a word."""
    if message.status == "firing":
        return message.severity.capitalize()
    return message.status.capitalize()


def place(message: Message) -> str:
    """Where it is: the project, and where that runs."""
    return " · ".join(filter(None, (message.project, message.environment)))


def named(one: Problem) -> str:
    """A problem's title, and what it is said of."""
    return f"{one.title}: {one.subject}" if one.subject else one.title


def titled(one: Problem) -> str:
    """The same with a word before it, where it is critical or over."""
    word = "Resolved: " if one.until else "Critical: " if one.severity == "critical" else ""
    return word + named(one)


def details(one: Problem) -> list[str]:
    """What else is said of a problem: the evidence, and what is to be done while it holds."""
    found = [one.evidence] if one.evidence else []
    if one.remedy and one.until is None:
        found.append(f"To do: {one.remedy}")
    return found


def lasting(one: Problem) -> str:
    """Since when it holds, or how long it did."""
    if one.until is None:
        return f"since {moment(one.since)}"
    lasted = duration((one.until - one.since).total_seconds())
    return f"from {moment(one.since)} to {moment(one.until)}, {lasted}"


def moment(at: datetime) -> str:
    """A moment as everybody reads it alike."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def rest(message: Message, told: int) -> str:
    """What is said of those that are not spelled out; empty where all are."""
    left = len(message.problems) - told + message.more
    return f"And {left:,} more." if left > 0 else ""


def origin(message: Message) -> str:
    """By which rule it is told, and of which release."""
    release = f", release {message.release}" if message.release else ""
    return f"By the rule {message.rule}{release}, {moment(message.at)}."


def plain(message: Message) -> str:
    """The whole of it as plain text."""
    told = message.problems[:SPELLED_OUT]
    parts = [headline(message), *(_plain(one) for one in told)]
    parts += filter(None, (rest(message, len(told)), message.url, origin(message)))
    return "\n\n".join(parts) + "\n"


def _plain(one: Problem) -> str:
    rows = (lasting(one), *details(one), *([one.url] if one.url else []))
    return "\n  ".join((titled(one), *rows))


def html_text(message: Message) -> str:
    """The whole of it as HTML, for letters."""
    return "\n".join(
        ("<!doctype html>", '<html lang="en"><body>', *_html(message), "</body></html>")
    )


def _html(message: Message) -> Iterator[str]:
    yield f"<h2>{html.escape(headline(message))}</h2>"
    told = message.problems[:SPELLED_OUT]
    for one in told:
        title = html.escape(titled(one))
        if one.url:
            title = f'<a href="{html.escape(one.url)}">{title}</a>'
        yield f"<h3>{title}</h3>"
        yield f"<p>{html.escape(lasting(one))}</p>"
        for text in details(one):
            yield f"<p>{html.escape(text)}</p>"
    if left := rest(message, len(told)):
        yield f"<p>{html.escape(left)}</p>"
    if message.url:
        yield f'<p><a href="{html.escape(message.url)}">{html.escape(message.url)}</a></p>'
    yield f"<p><small>{html.escape(origin(message))}</small></p>"
