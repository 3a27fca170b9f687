"""Messages for tests of what they become."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from z4j_django.alerts.message import Message, Problem

NOW = datetime(2026, 11, 29, 8, 30, tzinfo=UTC)
PAGE = "https://shop.example/admin/z4j/?a=1&b=2"
#: What anyone may call a task, or raise.
HOSTILE = (
    "<script>alert(1)</script> <!channel> <@U123> @everyone & *b* `c` ~d~ _e_ |f| "
    "[g](http://evil.example) {{ settings.SECRET_KEY }} {{DATE(2017-02-14T06:00:00Z,SHORT)}} "
    "%s {0} ${x}\r\nBcc: all@example.com\x00\x1b[31m\u202egnp.exe\u2028\ud800\U0001f525"
)


def problem(**other: Any) -> Problem:
    """A queue that nobody consumes."""
    known: dict[str, Any] = {
        "key": "queue_without_consumer",
        "title": "Queue without a consumer",
        "severity": "critical",
        "subject": "mail",
        "evidence": "41 messages wait, the oldest for 3 minutes.",
        "remedy": "Start a worker with -Q mail.",
        "since": NOW - timedelta(minutes=3),
        "url": PAGE,
    }
    return Problem(**known | other)


def message(*problems: Problem, **other: Any) -> Message:
    """One of a rule, with such a problem unless others are given."""
    known: dict[str, Any] = {
        "id": "5f0c",
        "rule": "on call",
        "group": "shop/on call/mail",
        "status": "firing",
        "project": "shop",
        "environment": "production",
        "release": "v1.2",
        "at": NOW,
        "problems": problems or (problem(),),
        "url": "https://shop.example/admin/z4j/",
    }
    return Message(**known | other)


def hostile(count: int = 1, **other: Any) -> Message:
    """One whose every text is what it should not be."""
    text = HOSTILE * 20
    one = problem(title=text, subject=text, evidence=text, remedy=text, url=PAGE)
    names = {"rule": text, "group": text, "project": text, "environment": text, "release": text}
    return message(*(one,) * count, **names | other)
