"""What was told to whom, and what came of it: the deliveries, as surfaces show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec
from django.db.models import QuerySet
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from z4j_django.alerts import composing, rules, silences, telling
from z4j_django.alerts.causes import Place
from z4j_django.alerts.channels import registry
from z4j_django.alerts.message import Message
from z4j_django.conf import settings
from z4j_django.exceptions import OptionsError, SealError
from z4j_django.models import AlertChannel, AlertDelivery, AlertSilence, ConditionRecord
from z4j_django.queries import pages
from z4j_django.queries.cursors import Cursor, Order
from z4j_django.queries.pages import Page

#: Deliveries that are looked through for those that tell of one thing, or that went to one channel.
LOOKED_THROUGH: Final = 500
#: Why a channel can't be made use of.
NO_KIND: Final = "There is no such kind of channels here."
UNOPENED: Final = "Its secrets can't be opened: enter them anew."
WRONG: Final = "Its options are wrong."
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


def page(
    rows: QuerySet[AlertDelivery], cursor: Cursor, limit: int, key: str = "", subject: str = ""
) -> Page[AlertDelivery]:
    """A page of the log; under a condition it looks through :data:`LOOKED_THROUGH` rows at most.

    Args:
        rows: Which deliveries.
        cursor: Where the page begins.
        limit: How many at most.
        key: The condition that they tell of; empty for any.
        subject: What they say it of; empty for anything.
    """
    if not key:
        return pages.read(rows, cursor, limit)
    found = pages.read(rows, cursor, LOOKED_THROUGH)
    kept = [row for row in found.rows if tells_of(row, key, subject)]
    if len(kept) <= limit:
        more = found.following is not None or found.preceding is not None
        examined = len(found.rows) if more else None
        return Page(kept, found.following, found.preceding, examined)
    if cursor.after is not None:
        return Page(kept[-limit:], found.following, Order().key(kept[-limit]))
    return Page(kept[:limit], Order().key(kept[limit - 1]), found.preceding)


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
        return composing.unpacked(row.message, str(row.pk))
    except (msgspec.ValidationError, TypeError):
        return None


def silence_of(record: ConditionRecord, active: Iterable[AlertSilence]) -> AlertSilence | None:
    """The silence by which nobody is told of a condition's finding, of those that hold."""
    problem = telling.holding(Place(record.key, record.subject), record)
    return next((one for one in active if silences.is_about(one, problem)), None)


@dataclass(frozen=True)
class Reached:
    """How a channel is reached, as far as that may be told.

    Attributes:
        place: Where it leads; empty where nobody knows.
        secrets: The names of its secret options that are set.
        fault: Why it can't be made use of, in a sentence; empty where it can.
    """

    place: str
    secrets: Sequence[str] = ()
    fault: str = ""


@sensitive_variables()
def reached(channel: rules.Channel, project: str) -> Reached:
    """How a channel is reached."""
    kind = registry.KINDS.get(channel.kind)
    if kind is None:
        return Reached("", fault=NO_KIND)
    try:
        opened = channel.opened(project)
    except SealError:
        return Reached("", fault=UNOPENED)
    except OptionsError:
        return Reached("", fault=WRONG)
    names = sorted(rules.secret_names(channel.kind))
    return Reached(
        kind.place(opened), [name for name in names if isinstance(getattr(opened, name), str)]
    )
