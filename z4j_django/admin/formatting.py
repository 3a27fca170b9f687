"""Values as a person reads them: pure functions, everything they return is safe HTML or text."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from z4j_django import states
from z4j_django.models import TaskRecord
from z4j_django.queries import tasks
from z4j_django.queries.totals import Total
from z4j_django.values import NOTHING
from z4j_django.values import duration as duration

#: Characters of JSON or traceback on one page, at most; the store keeps less.
TEXT_LIMIT = 100_000

_SHORT_ID_LENGTH = 8


def runtime(task: TaskRecord) -> str:
    """How long a task ran, or has been running."""
    shown = duration(tasks.runtime(task, timezone.now()))
    return f"{shown} so far" if task.state == states.STARTED and task.started_at else shown


def total(value: Total) -> str:
    """A number of rows that says how sure it is: ``731``, ``about 10.2 million``."""
    if value.kind == "exact":
        return f"{value.count:,}"
    if value.kind == "over":
        return f"more than {value.count:,}"
    for size, unit in ((10**9, "billion"), (10**6, "million")):
        if value.count >= size:
            return f"about {value.count / size:.1f} {unit}"
    digits = len(str(value.count)) - 2
    return f"about {round(value.count, -digits):,}"


def short_id(task_id: str) -> str:
    """The beginning of a UUID; other ids as they are, cut where they are long."""
    if len(task_id) == 36 and task_id.count("-") == 4:
        return task_id[:_SHORT_ID_LENGTH]
    return task_id if len(task_id) <= 24 else f"{task_id[:23]}…"


def identifier(value: str) -> SafeString:
    """A short id whose whole is in the title."""
    return format_html('<bdi class="z4j-id" title="{}">{}</bdi>', value, short_id(value) or NOTHING)


def text(value: str) -> SafeString:
    """A name on one line: cut by the page where it is too long, whole in the title."""
    if not value:
        return format_html('<span class="z4j-quiet">{}</span>', NOTHING)
    return format_html('<bdi class="z4j-text" title="{}">{}</bdi>', value, value)


def badge(state: str) -> SafeString:
    """A state in its colour; the word says the same without it."""
    return coloured(state.lower(), state)


def coloured(colour: str, word: str) -> SafeString:
    """A word in the colour that some state has."""
    return format_html('<span class="z4j-badge z4j-{}">{}</span>', colour, word)


def standing(task: TaskRecord) -> SafeString:
    """A task's state, above what it does not say."""
    state = badge(task.state)
    if not task.status:
        return state
    return stacked(state, format_html('<span class="z4j-status">{}</span>', task.status))


def moment(value: datetime | None, now: datetime | None = None) -> SafeString:
    """A time in the project's time zone, as short as it is clear; the title has all of it.

    Args:
        value: The time, or None.
        now: The time to compare the day with.

    Returns:
        A ``<time>`` element.
    """
    if value is None:
        return format_html('<span class="z4j-quiet">{}</span>', NOTHING)
    local = _local(value)
    today = _local(now or timezone.now())
    clock = f"{local:%H:%M:%S}"
    if local.date() == today.date():
        shown = clock
    elif local.year == today.year:
        shown = f"{date_format(local, 'j M')} {clock}"
    else:
        shown = f"{local:%Y-%m-%d} {clock}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), precise(local), shown
    )


def precise(value: datetime) -> str:
    """A time to the microsecond, with its zone."""
    local = _local(value)
    zone = f" {local.tzname()}" if local.tzinfo else ""
    return f"{local:%Y-%m-%d %H:%M:%S.%f}{zone}"


def _local(value: datetime) -> datetime:
    return timezone.localtime(value) if timezone.is_aware(value) else value


def full_moment(value: datetime) -> SafeString:
    """A time to the millisecond with its date, for pages that have the room."""
    local = _local(value)
    shown = f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), precise(local), shown
    )


def iso_moment(value: str) -> str:
    """A time that is kept as text, to the millisecond; as it is where it is none."""
    try:
        return full_moment(datetime.fromisoformat(value))
    except (ValueError, OverflowError):
        return value


def pretty_json(value: Any) -> str:
    """Indented JSON, not escaped for HTML, cut at ``TEXT_LIMIT`` characters."""
    return bounded(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def bounded(value: str) -> str:
    """``value``, cut at ``TEXT_LIMIT`` characters with a word about the rest."""
    if len(value) <= TEXT_LIMIT:
        return value
    return f"{value[:TEXT_LIMIT]}\n… {len(value) - TEXT_LIMIT} more characters"


def pace_bar(wait: float | None, run: float | None) -> SafeString:
    """A slim bar that splits the time between waiting and running; empty where neither is known."""
    total = (wait or 0.0) + (run or 0.0)
    if total <= 0:
        return SafeString("")
    share = 100 * (wait or 0.0) / total
    label = f"waited {duration(wait)}, ran {duration(run)}"
    # Widths as attributes: a style attribute would need an exception in a site's CSP.
    return format_html(
        '<svg class="z4j-pace" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" '
        'aria-label="{}"><title>{}</title>'
        '<rect class="z4j-wait" width="{}" height="4"/>'
        '<rect class="z4j-run" x="{}" width="{}" height="4"/></svg>',
        label,
        label,
        f"{share:.2f}",
        f"{share:.2f}",
        f"{100 - share:.2f}",
    )


def plain(value: str) -> SafeString:
    """``value`` escaped, its writing direction kept to itself."""
    return format_html("<bdi>{}</bdi>", value)


def missing(task_id: str) -> SafeString:
    """An id of which nothing more can be shown."""
    return format_html('<bdi class="z4j-id">{}</bdi>', task_id)


def joined(*parts: SafeString) -> SafeString:
    """Pieces of HTML with a space between them."""
    return format_html_join(" ", "{}", ((part,) for part in parts))


def stacked(upper: SafeString, lower: SafeString) -> SafeString:
    """One piece of HTML above another."""
    return format_html('{}<div class="z4j-lower">{}</div>', upper, lower)
