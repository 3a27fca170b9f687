"""PagerDuty, by its Events API, version 2."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta

from z4j_django.alerts import targets, wording
from z4j_django.alerts.channels import posting
from z4j_django.alerts.channels.base import Answer, ChannelOptions, Kind, Sending
from z4j_django.alerts.message import Message
from z4j_django.options import option
from z4j_django.values import identifier

#: Characters of the summary.
SUMMARY: Final = 1_024
#: Bytes of an event; PagerDuty takes 512 KB.
_LENGTH: Final = 400 * 1024
_EVENTS: Final = "https://events.pagerduty.com/v2/enqueue"


def _wrong_key(key: str) -> str:
    return "" if key.isascii() and key.isalnum() else "A routing key is 32 letters and digits."


class PagerDutyOptions(ChannelOptions, frozen=True, kw_only=True):
    """Which service is told."""

    routing_key: Annotated[
        Annotated[str, Meta(min_length=32, max_length=32)],
        option(
            "The integration key of an Events API V2 integration.", check=_wrong_key, secret=True
        ),
    ]
    url: Annotated[
        posting.URL,
        option(
            "Where the events go; in Europe `https://events.eu.pagerduty.com/v2/enqueue`.",
            label="URL",
            metavar="URL",
            check=targets.wrong_url,
        ),
    ] = _EVENTS


def payload(given: PagerDutyOptions, message: Message, count: int = 100) -> dict[str, Any]:
    """The event that opens an alert, or says again that it holds."""
    first = message.problems[0]
    details = {
        f"{place:03d} {wording.titled(one)}"[:255]: " ".join(
            filter(None, (wording.lasting(one) + ".", *wording.details(one)))
        )
        for place, one in enumerate(message.problems[:count], start=1)
    }
    rest = wording.rest(message, len(details))
    links = [
        {"href": url, "text": text}
        for url, text in ((first.url, wording.named(first)), (message.url, "All that is wrong"))
        if url
    ]
    return {
        **_event(given, message, "trigger"),
        "client": "z4j",
        **({"client_url": message.url} if message.url else {}),
        "links": links,
        "payload": {
            "summary": wording.cut(wording.headline(message), SUMMARY),
            "source": wording.place(message),
            "severity": "info" if message.status == "test" else message.severity,
            "timestamp": first.since.isoformat(),
            "component": first.subject or message.project,
            "group": message.rule,
            "class": first.key,
            "custom_details": {**details, **({"more": rest} if rest else {})},
        },
    }


def _event(given: PagerDutyOptions, message: Message, action: str) -> dict[str, Any]:
    return {
        "routing_key": given.routing_key,
        "event_action": action,
        "dedup_key": identifier(message.group),
    }


def deliver(given: PagerDutyOptions, message: Message, sending: Sending) -> Answer:
    """Open the alert, or end it; that of a test is opened, and ended at once."""
    end = posting.as_json(_event(given, message, "resolve"))
    if message.status == "resolved":
        return posting.post(given, given.url, end, sending)
    body = posting.fitted(lambda count: payload(given, message, count), 100, _LENGTH)
    answer = posting.post(given, given.url, body, sending)
    if message.status == "test" and answer.outcome == "sent":
        posting.post(given, given.url, end, sending)
    return answer


KIND: Final = Kind(
    key="pagerduty",
    title="PagerDuty",
    about="Opens and ends an alert by the Events API, version 2.",
    options=PagerDutyOptions,
    deliver=deliver,
    place=lambda given: posting.host(given.url),
    is_idempotent=True,
)
