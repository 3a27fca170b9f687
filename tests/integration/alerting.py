"""What stands in for channels and conditions in tests of alerts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

from django.test import override_settings
from django.utils import timezone
from msgspec import UNSET, Meta, UnsetType

from z4j_django.alerts import sender, telling
from z4j_django.alerts.channels import registry
from z4j_django.alerts.channels.base import Answer, ChannelOptions, Kind, Sending
from z4j_django.alerts.message import Message
from z4j_django.models import AlertDelivery, ConditionRecord
from z4j_django.options import option

PROJECT = "default"
NOW = timezone.now().replace(microsecond=0)


class Options(ChannelOptions, frozen=True, kw_only=True):
    """Of the kind that tests have."""

    token: Annotated[
        Annotated[str, Meta(max_length=50)] | UnsetType, option("A secret.", secret=True)
    ] = UNSET


@dataclass
class Inbox:
    """What the channels of a kind were told, and what they answer."""

    messages: list[Message] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    given: list[Any] = field(default_factory=list)
    #: Called while a message is being sent.
    meanwhile: Callable[[], None] = lambda: None

    def deliver(self, given: Any, message: Message, sending: Sending) -> Answer:
        self.meanwhile()
        self.messages.append(message)
        self.given.append(given)
        return self.answers.pop(0) if self.answers else Answer("sent", "Thanks.")

    def lines(self) -> list[str]:
        """Each message in a line: its status, and its problems."""
        return [line(one) for one in self.messages]


def line(message: Message) -> str:
    """A message in a line."""
    told = " ".join(f"{one.key}:{one.subject}".rstrip(":") for one in message.problems)
    return f"{message.status} {told}" + (f" +{message.more}" if message.more else "")


@contextmanager
def inbox(name: str = "inbox", **more: Any) -> Iterator[Inbox]:
    """A kind of channels whose messages are kept."""
    found = Inbox()
    kind = Kind(
        key=name,
        title="Inbox",
        about="Of tests.",
        options=Options,
        deliver=found.deliver,
        place=lambda given: "here",
        **more,
    )
    before = registry.KINDS
    registry.KINDS = {**before, name: kind}  # type: ignore[misc]
    try:
        yield found
    finally:
        registry.KINDS = before  # type: ignore[misc]


def settings(**alerts: Any) -> Any:
    """With a channel ``ops``, and more of ``Z4J["ALERTS"]``."""
    given = {"CHANNELS": {"ops": {"kind": "inbox"}}, **alerts}
    return override_settings(Z4J={"ALERTS": given})


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def holds(key: str, subject: str = "", severity: str = "critical", **more: Any) -> None:
    """Have a condition hold."""
    values: dict[str, Any] = {"since": at(-60), "evidence": f"{key} of {subject}."}
    ConditionRecord.objects.create(
        project=PROJECT,
        key=key,
        subject=subject,
        severity=severity,
        last_seen=at(0),
        **{**values, **more},
    )


def ends(key: str, *subjects: str, when: float = 0.0) -> None:
    """Have it hold no more."""
    rows = ConditionRecord.objects.filter(key=key, is_open=True)
    if subjects:
        rows = rows.filter(subject__in=subjects)
    assert rows.update(is_open=None, ended_at=at(when))


def written(*fields: str) -> list[Any]:
    """What is to be sent, in its order."""
    rows = AlertDelivery.objects.order_by("id")
    return list(rows.values_list(*fields, flat=len(fields) == 1))


def tell(*seconds: float) -> list[str]:
    """Make rounds at these moments; what was written down in them."""
    last = AlertDelivery.objects.order_by("-id").values_list("id", flat=True).first() or 0
    for one in seconds:
        telling.tell(PROJECT, at(one))
    from z4j_django.alerts import composing

    rows = AlertDelivery.objects.filter(id__gt=last).order_by("id")
    return [line(composing.unpacked(one.message, "")) for one in rows]


class Clock:
    """What the database's clock says, in a test of the sender."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return at(self.seconds)


class _Stop(threading.Event):
    """By which the clock goes on."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        found = super().wait(timeout)
        self.clock.seconds += timeout or 0.0
        return found


def send(clock: Clock) -> None:
    """Send all that is due, in this thread."""
    made = sender.Sender(PROJECT, clock, "1@here")
    made._stop = _Stop(clock)
    made.run()
