"""How much goes through: six figures, each with the line of the last hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from z4j_django.admin import formatting
from z4j_django.admin.links import page_url, queues_url, tasks_url
from z4j_django.admin.room.reading import Reading
from z4j_django.queries import statistics
from z4j_django.queries.queues import Sample
from z4j_django.queries.statistics import Counted

#: Minutes of which a rate is the mean, and of a point of a line of percentiles.
_RATE: Final = 5
_HOUR: Final = 60


@dataclass(frozen=True)
class Figure:
    """A number, what it is, and how it has come."""

    label: str
    value: SafeString | str
    span: SafeString | str
    line: SafeString | str = ""
    more: SafeString | str = ""
    url: str | None = None
    is_bad: bool = False


def shown(reading: Reading, request: HttpRequest) -> dict[str, Any]:
    """The context of the block."""
    points = reading.pulse.points
    hour, before = points[-_HOUR:], points[: -_HOUR or None]
    now, then = statistics.together(hour), statistics.together(before)
    figures = [
        _rate(_("Sent"), hour, lambda one: one.counters["sent"], tasks_url(request, "sent:<1h")),
        _rate(_("Finished"), hour, lambda one: one.finished, tasks_url(request, "finished:<1h")),
        _failed(now, then, hour, request),
        _running(reading, request),
        _waiting(reading, request),
        _length(_("Run time"), now.runtime["p95"], hour, lambda one: one.runtime["p95"], request),
        _length(_("Wait"), now.wait["p95"], hour, lambda one: one.wait["p95"], request),
    ]
    return {"figures": figures}


def _rate(
    label: str, hour: Sequence[Counted], value: Callable[[Counted], int], url: str | None
) -> Figure:
    values = [value(one) for one in hour]
    mean = sum(values[-_RATE:]) / _RATE
    words = _("%(what)s, by the minute: at most %(most)s in the last hour") % {
        "what": label,
        "most": formatting.count(max(values)),
    }
    return Figure(
        label,
        formatting.count(mean, 0 if mean >= 10 or mean == int(mean) else 1),
        _("a minute"),
        formatting.sparkline(values, words),
        url=url,
    )


def _failed(now: Counted, then: Counted, hour: Sequence[Counted], request: HttpRequest) -> Figure:
    values = [one.counters["failed"] for one in hour]
    words = _("failed, by the minute: at most %(most)s in the last hour")
    return Figure(
        _("Failed"),
        formatting.count(now.counters["failed"]),
        _("in the last hour"),
        formatting.sparkline(values, words % {"most": formatting.count(max(values))}, "failed"),
        formatting.share(now.failure_share, then.failure_share),
        tasks_url(request, "state:FAILURE finished:<1h"),
    )


def _running(reading: Reading, request: HttpRequest) -> Figure:
    slots = sum(one.concurrency or 0 for one in reading.online_workers)
    running = len(reading.running)
    value = formatting.count(running) + ("+" if reading.more_running else "")
    return Figure(
        _("Running"),
        value,
        _("of %(slots)s slots") % {"slots": formatting.count(slots)},
        formatting.bar(running / slots if slots else 0, _("slots in use")),
        url=tasks_url(request, "state:STARTED"),
        is_bad=bool(slots) and running >= slots,
    )


def _waiting(reading: Reading, request: HttpRequest) -> Figure:
    newest = [one.newest for one in reading.queues.values() if one.newest is not None]
    depths = [one.depth for one in newest if one.depth is not None]
    oldest = min((one.oldest_at for one in newest if one.oldest_at is not None), default=None)
    lines = [one.depths for one in reading.queues.values()]
    sums = [
        sum(line[place] or 0 for line in lines if place >= -len(line))
        for place in range(-max(map(len, lines), default=0), 0)
    ]
    words = _("waiting: at most %(most)s in the last hour")
    return Figure(
        _("Waiting"),
        formatting.count(sum(depths)) if depths else formatting.count(None),
        _span(depths, newest, oldest),
        formatting.sparkline(sums, words % {"most": formatting.count(max(sums, default=0))})
        if lines
        else "",
        url=queues_url(request),
    )


def _span(
    depths: Sequence[int], newest: Sequence[Sample], oldest: datetime | None
) -> SafeString | str:
    """What a number of messages is."""
    if newest and not depths:
        return _("the broker does not tell")
    if oldest is None:
        return _("messages")
    return format_html(_("oldest {}"), formatting.elapsed(oldest))


def _length(
    label: str,
    value: float | None,
    hour: Sequence[Counted],
    of: Callable[[Counted], float | None],
    request: HttpRequest,
) -> Figure:
    parts = [hour[place : place + _RATE] for place in range(0, len(hour), _RATE)]
    values = [of(statistics.together(part)) for part in parts]
    most = max((one for one in values if one is not None), default=None)
    words = _("%(what)s, 95 %% of tasks: at most %(most)s in the last hour")
    return Figure(
        label,
        formatting.short(value),
        _("p95, last hour"),
        formatting.sparkline(values, words % {"what": label, "most": formatting.short(most)}),
        url=page_url(request, "taskrecord", "types"),
    )
