"""What was told to whom, and what came of it: the deliveries, as surfaces show them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Final

import msgspec
from django.utils import timezone

from z4j_django.alerts.message import Message
from z4j_django.conf import settings
from z4j_django.models import AlertChannel, AlertDelivery, AlertSilence, ConditionRecord

#: Deliveries that are looked through for those that tell of one thing, or that went to one channel.
LOOKED_THROUGH: Final = 500
#: Time after the end of what was told of, within which "resolved" is.
_AFTER: Final = timedelta(days=1)


def has_channel(project: str) -> bool:
    """Whether anybody is told of anything."""
    if settings.ALERTS.CHANNELS:
        return True
    return AlertChannel.objects.filter(project=project, is_enabled=True).exists()


def newest_by_channel(project: str) -> dict[str, AlertDelivery]:
    """The newest delivery to each channel, among the newest of all."""
    rows = AlertDelivery.objects.filter(project=project).defer("message")
    found: dict[str, AlertDelivery] = {}
    for row in rows.order_by("-id")[:LOOKED_THROUGH]:
        found.setdefault(row.channel, row)
    return found


def tells_of(row: AlertDelivery, key: str, subject: str = "") -> bool:
    """Whether a delivery tells of a condition, of one subject where that is named."""
    told = row.message.get("problems") if isinstance(row.message, dict) else None
    return any(
        one.get("key") == key and subject in ("", one.get("subject"))
        for one in (told if isinstance(told, list) else ())
        if isinstance(one, dict)
    )


def of_condition(record: ConditionRecord) -> list[AlertDelivery]:
    """The deliveries that tell of a condition's finding, the newest first."""
    until = record.ended_at or timezone.now()
    rows = AlertDelivery.objects.filter(
        project=record.project, created_at__gte=record.since, created_at__lte=until + _AFTER
    )
    newest = rows.order_by("-created_at", "-id")[:LOOKED_THROUGH]
    return [row for row in newest if tells_of(row, record.key, record.subject)]


def message(row: AlertDelivery) -> Message | None:
    """What a delivery says; None where another version wrote it down."""
    try:
        return msgspec.convert({**row.message, "id": str(row.pk)}, Message)
    except (msgspec.ValidationError, TypeError):
        return None


def silence_of(record: ConditionRecord, active: Iterable[AlertSilence]) -> AlertSilence | None:
    """The silence by which nobody is told of a condition's finding, of those that hold."""
    for one in active:
        if one.condition in ("", record.key) and fnmatchcase(record.subject, one.subject):
            return one
    return None
