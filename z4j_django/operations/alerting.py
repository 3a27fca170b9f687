"""Silencing alerts, ending a silence, and trying a channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from z4j_django import permissions, verb_options, verbs
from z4j_django.alerts import rules, sending
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError
from z4j_django.models import AlertDelivery, AlertSilence, Operation, OperationTarget
from z4j_django.models.primary import update
from z4j_django.operations import asking, auditing
from z4j_django.options import given
from z4j_django.secrets.masking import mask_text
from z4j_django.values import GREATEST_ID, is_storable, whole_number
from z4j_django.watch import lease

#: What stands for every condition.
ALL: Final = "all"
#: Silences that a project has at once, at most.
LIMIT: Final = 200
_Kind = OperationTarget.Kind


def silence(
    condition: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Tell nobody of a condition; see :func:`z4j_django.operations.silence_alerts`."""
    verb = verbs.SILENCE_ALERTS.name
    read: verb_options.SilenceOptions = asking.asked(verb, options, actor=actor, surface=surface)
    own = auditing.own_project(project)
    until = _until(read.until)
    preview(condition)
    if not is_storable(read.subject):
        raise OperationError("subject: no name is like this pattern.")
    if active(own).count() >= LIMIT:
        raise OperationError(f"There are {LIMIT} silences already: end some.")
    reason = mask_text(given(read.reason, ""), settings.redaction)
    operation = auditing.begin(
        verb,
        [condition],
        actor=actor,
        surface=surface,
        kind=_Kind.ALERT,
        project=project,
        parameters={
            "condition": condition,
            "subject": read.subject,
            "reason": reason,
            "until": until.isoformat(),
        },
    )

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        row = AlertSilence.objects.create(
            project=own,
            condition="" if condition == ALL else condition,
            subject=read.subject,
            reason=reason,
            created_by=operation.actor,
            since=lease.now(),
            until=until,
        )
        return [auditing.done(f"Silenced until {_shown(until)}.", str(row.pk))]

    return auditing.carry_out(operation, act)


def end_silence(
    silence_id: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """End a silence before its time; see :func:`z4j_django.operations.end_silence`."""
    verb = verbs.END_SILENCE.name
    asking.asked(verb, options, actor=actor, surface=surface)
    row = preview_end(silence_id, project)
    operation = auditing.begin(
        verb,
        [str(row.pk)],
        actor=actor,
        surface=surface,
        kind=_Kind.SILENCE,
        project=project,
        parameters={
            "condition": row.condition or ALL,
            "subject": row.subject,
            "reason": row.reason,
            "created_by": row.created_by,
        },
    )

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        mine = AlertSilence.objects.filter(pk=row.pk, ended_at=None)
        if not update(mine, ended_at=lease.now(), ended_by=operation.actor):
            return [auditing.refused("Somebody else ended it meanwhile.")]
        return [auditing.done("It is over.")]

    return auditing.carry_out(operation, act)


def try_channel(
    name: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Send a test message; see :func:`z4j_django.operations.test_channel`."""
    verb = verbs.TEST_CHANNEL.name
    asking.asked(verb, options, actor=actor, surface=surface)
    own = auditing.own_project(project)
    channel = _channel(own, name)
    operation = auditing.begin(
        verb,
        [name],
        actor=actor,
        surface=surface,
        kind=_Kind.CHANNEL,
        project=project,
        parameters={"channel": name, "kind": channel.kind},
    )

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        return [_outcome(sending.send_test(own, channel, operation.actor, lease.now))]

    return auditing.carry_out(operation, act)


def preview(condition: str) -> None:
    """See that a condition can be silenced.

    Raises:
        OperationError: If not.
    """
    if condition != ALL and condition not in CONDITIONS:
        raise OperationError(f"There is no condition {condition[:60]!r}; all of them are {ALL!r}.")


def preview_end(silence_id: str, project: str | None = None) -> AlertSilence:
    """What :func:`end_silence` would end.

    Raises:
        OperationError: If it would be refused.
    """
    number = whole_number(str(silence_id).strip(), len(str(GREATEST_ID)))
    if number is None or number > GREATEST_ID:
        raise OperationError(f"{str(silence_id)[:60]!a} is no id of a silence.")
    mine = AlertSilence.objects.filter(project=auditing.own_project(project), pk=number)
    if (row := mine.first()) is None:
        raise OperationError(f"There is no silence {number} on record.")
    if row.ended_at is not None or row.until <= lease.now():
        raise OperationError(f"The silence {number} is over already.")
    return row


def active(project: str) -> Any:
    """The silences that hold."""
    mine = AlertSilence.objects.filter(project=project, ended_at=None)
    return mine.filter(until__gt=lease.now())


def _channel(project: str, name: str) -> rules.Channel:
    for one in rules.channels(project):
        if one.name == name:
            return one
    raise OperationError(f"There is no alert channel {str(name)[:60]!r}.")


def _until(said: float | datetime) -> datetime:
    """When it ends.

    Raises:
        OperationError: If that is no moment to come.
    """
    now = lease.now()
    if isinstance(said, datetime):
        until = said if timezone.is_aware(now) else timezone.make_naive(said)
    else:
        until = now + timedelta(seconds=said)
    if until <= now:
        raise OperationError(f"until: {until.isoformat()} is over.")
    return until


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S %Z}".strip()


def _outcome(delivery: AlertDelivery) -> auditing.Outcome:
    states, answer, number = AlertDelivery.State, delivery.answer, str(delivery.pk)
    if delivery.state == states.SENT:
        return auditing.done(answer or "It was sent.", number)
    if delivery.state == states.PERHAPS:
        return auditing.unknown(answer)
    if delivery.state == states.REFUSED:
        return auditing.refused(answer)
    return auditing.failed(answer)
