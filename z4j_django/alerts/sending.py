"""Sends one message to one channel, and says what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Final

from z4j_django import logs
from z4j_django.alerts import links, rules
from z4j_django.alerts.channels import base, registry
from z4j_django.alerts.message import Message
from z4j_django.conf import settings
from z4j_django.exceptions import OptionsError, SealError
from z4j_django.models import AlertDelivery
from z4j_django.models.primary import primary, update

logger = logs.logger("z4j_django.alerts")

#: Seconds that a channel has.
TIMEOUT: Final = 10.0
_State = AlertDelivery.State
#: What stands on record of what a channel answered once and for all.
_STATES: Final = {"sent": _State.SENT, "refused": _State.REFUSED, "unknown": _State.PERHAPS}


def send(project: str, channel: rules.Channel, message: Message) -> base.Answer:
    """Send a message once. It never raises, and takes :data:`TIMEOUT` at most."""
    kind = registry.KINDS.get(channel.kind)
    if kind is None:
        return base.Answer("refused", f"There is no kind of channels {channel.kind!r} here.")
    try:
        options = channel.opened(project)
    except SealError:
        return base.Answer("refused", "Its secrets can't be opened: SECRET_KEY changed.")
    except OptionsError as error:
        named = ", ".join(error.errors)
        return base.Answer("refused", f"Its options are wrong: {named}.")
    how = base.Sending(TIMEOUT, settings.ALERTS.PRIVATE_TARGETS, links.first_page())
    return kind.send(options, message, how)


def send_test(
    project: str, channel: rules.Channel, actor: str, clock: Callable[[], datetime]
) -> AlertDelivery:
    """Send a test message, at once and once.

    Args:
        project: Whose channel it is.
        channel: Which.
        actor: Who wants to know.
        clock: The moment, by the database's clock.

    Returns:
        What is on record of it.
    """
    now = clock()
    message = Message(
        id=uuid.uuid4().hex,
        rule=f"test by {actor}",
        group=f"test/{channel.name}",
        status="test",
        project=project,
        environment=settings.environment,
        release="",
        at=now,
        problems=(),
        url=links.first_page(),
    )
    row = primary(AlertDelivery).create(
        project=project,
        channel=channel.name,
        kind=channel.kind,
        status=AlertDelivery.Status.TEST,
        summary="Test",
        state=_State.SENDING,
        attempts=1,
        created_at=now,
        next_at=now,
        claimed_by=actor,
        claimed_at=now,
    )
    answer = send(project, channel, message)
    write(row, _STATES.get(answer.outcome, _State.FAILED), answer.text, clock())
    return row


def write(row: AlertDelivery, state: str, answer: str, at: datetime) -> None:
    """Write down what came of a delivery in the end."""
    row.state, row.answer, row.finished_at = state, answer, at
    mine = primary(AlertDelivery).filter(pk=row.pk, state=_State.SENDING)
    update(mine, state=state, answer=answer, finished_at=at)
