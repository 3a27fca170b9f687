"""What operators hold back, and whether anybody is told: for the first page, in one query."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import (
    CharField,
    Count,
    DateTimeField,
    Exists,
    F,
    Field,
    IntegerField,
    OuterRef,
    QuerySet,
    TextField,
    Value,
)

from z4j_django.models import (
    AlertChannel,
    AlertDelivery,
    AlertSilence,
    PausedConsumer,
    PausedQueue,
)
from z4j_django.models.primary import primary
from z4j_django.queries import pauses

#: How far back messages are looked for that did not arrive.
LATELY: Final = timedelta(hours=24)
#: Rows of all kinds, at most.
_LIMIT: Final = 1_000
_State = AlertDelivery.State
_SPAN: Final = {"since": "since", "until": "until", "reason": "reason"}
#: What each row says, and what stands there where its kind says nothing.
_COLUMNS: Final[dict[str, tuple[Any, Field[Any, Any]]]] = {
    "name": ("", CharField()),
    "more": ("", CharField()),
    "by": ("", CharField()),
    "since": (None, DateTimeField()),
    "until": (None, DateTimeField()),
    "reason": ("", TextField()),
    "count": (0, IntegerField()),
}


@dataclass
class Held:
    """What a first page says of it.

    Attributes:
        paused: The queues that are paused, by their names.
        taking: The workers that take from each of them all the same.
        silences: What nobody is told of.
        has_channel: Whether the database has a channel that is made use of.
        lost: Messages that did not arrive lately, at channels where none has arrived since.
    """

    paused: dict[str, PausedQueue] = field(default_factory=dict)
    taking: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    silences: list[AlertSilence] = field(default_factory=list)
    has_channel: bool = False
    lost: int = 0


def read(project: str, now: datetime) -> Held:
    """All of it."""
    first = _rows("pause", pauses.current(project), name="queue", by="paused_by", **_SPAN)
    active = primary(AlertSilence).filter(project=project, ended_at=None, until__gt=now)
    taking = primary(PausedConsumer).filter(
        pause__project=project, pause__resumed_at=None, consumes=True
    )
    others = (
        _rows("taker", taking, name="pause__queue", by="hostname"),
        _rows("silence", active, name="subject", more="condition", by="created_by", **_SPAN),
        _rows("channel", primary(AlertChannel).filter(project=project, is_enabled=True)),
        _rows("lost", _lost(project, now), name="channel", count="number"),
    )
    found = Held()
    for kind, name, more, by, since, until, reason, count in first.union(*others, all=True)[
        :_LIMIT
    ]:
        if kind == "pause":
            found.paused[name] = PausedQueue(
                project=project, queue=name, paused_by=by, since=since, until=until, reason=reason
            )
        elif kind == "taker":
            found.taking[name].add(by)
        elif kind == "silence":
            found.silences.append(
                AlertSilence(
                    project=project,
                    condition=more,
                    subject=name,
                    created_by=by,
                    since=since,
                    until=until,
                    reason=reason,
                )
            )
        elif kind == "channel":
            found.has_channel = True
        else:
            found.lost += count
    return found


def _lost(project: str, now: datetime) -> QuerySet[Any, Any]:
    """How many did not arrive, by channel."""
    mine = primary(AlertDelivery).filter(project=project)
    later = mine.filter(channel=OuterRef("channel"), pk__gt=OuterRef("pk"), state=_State.SENT)
    lost = mine.filter(~Exists(later), created_at__gte=now - LATELY)
    lost = lost.filter(state__in=(_State.REFUSED, _State.FAILED))
    real = lost.exclude(status=AlertDelivery.Status.TEST)
    return real.order_by().values("channel").annotate(number=Count("pk"))


def _rows(kind: str, found: QuerySet[Any, Any], **columns: str) -> QuerySet[Any, Any]:
    """Rows of one kind, in the columns that those of all kinds have."""
    shown = {
        f"row_{name}": F(columns[name]) if name in columns else Value(nothing, output)
        for name, (nothing, output) in _COLUMNS.items()
    }
    told: QuerySet[Any, Any] = found.annotate(row_kind=Value(kind, CharField()), **shown)
    return told.order_by().values_list("row_kind", *shown)
