"""Numbers with their units."""

from __future__ import annotations

from typing import Final

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language_bidi
from django.utils.translation import gettext as _

from z4j_django import states, values
from z4j_django.admin.formatting import moments
from z4j_django.admin.formatting.names import nothing
from z4j_django.models import TaskRecord
from z4j_django.queries import tasks
from z4j_django.queries.totals import Total
from z4j_django.values import NOTHING

#: What stands between these runs from left to right, whatever surrounds it.
_LEFT_TO_RIGHT: Final = "\u2066", "\u2069"


def duration(seconds: float | None) -> str:
    """A length of time in two units at most: ``85 ms``, ``3.42 s``, ``2m 05s``."""
    shown = values.duration(seconds)
    return shown.join(_LEFT_TO_RIGHT) if get_language_bidi() else shown


def count(value: float | None, decimals: int = 0) -> str:
    """A number with the separators of the reader's language: ``1,204``."""
    if value is None:
        return NOTHING
    return _number(value, decimals)


def _number(value: float, decimals: int) -> str:
    # Django cuts digits off where it is not rounded before.
    rounded = round(value, decimals) if decimals else round(value)
    return number_format(rounded, decimals, use_l10n=True, force_grouping=True)


def percent(value: float | None) -> str:
    """A share, from 0 to 1: ``3.4 %``; one that is small but there is not shown as none."""
    if value is None:
        return NOTHING
    if 0 < value < 0.001:
        return _("<%(number)s %%") % {"number": _number(0.1, 1)}
    decimals = 0 if value == 0 or value >= 0.0995 else 1
    return _("%(number)s %%") % {"number": _number(100 * value, decimals)}


def share(value: float | None, before: float | None = None) -> SafeString:
    """A share, and whether it is more or less than it was before: ``3.4 % ▲``.

    Less than a tenth of a change, and a change of less than half a percent, is none.
    """
    if value is None:
        return nothing()
    shown = percent(value)
    if before is None:
        return format_html('<span class="z4j-share">{}</span>', shown)
    words = _("before: %(share)s") % {"share": percent(before)}
    if abs(value - before) < max(0.005, before / 10):
        return format_html('<span class="z4j-share" title="{}">{}</span>', words, shown)
    more = value > before
    return format_html(
        '<span class="z4j-share" title="{}">{} <span class="z4j-change z4j-{}" role="img" '
        'aria-label="{}">{}</span></span>',
        words,
        shown,
        "more" if more else "less",
        (_("more: %(before)s") if more else _("less: %(before)s")) % {"before": words},
        "▲" if more else "▼",
    )


def short(seconds: float | None) -> str:
    """A length of time in one unit, with two digits that tell: ``85 ms``, ``1.9 s``, ``5 min``."""
    if seconds is None:
        return NOTHING
    if seconds < 0.0995:
        return _("%(number)s ms") % {"number": _number(1000 * seconds, 0)}
    if seconds < 0.995:
        return _("%(number)s ms") % {"number": _number(round(100 * seconds) * 10, 0)}
    if seconds < 9.95:
        return _("%(number)s s") % {"number": _number(seconds, 1)}
    return moments.span(round(seconds))


def runtime(task: TaskRecord) -> str:
    """How long a task ran, or has been running."""
    shown = duration(tasks.runtime(task, timezone.now()))
    if task.state == states.STARTED and task.started_at:
        return _("%(duration)s so far") % {"duration": shown}
    return shown


def total(value: Total) -> str:
    """A number of rows that says how sure it is: ``731``, ``about 10.2 million``."""
    if value.kind == "exact":
        return count(value.count)
    if value.kind == "over":
        return _("more than %(count)s") % {"count": count(value.count)}
    if value.count >= 10**9:
        return _("about %(number)s billion") % {"number": _number(value.count / 10**9, 1)}
    if value.count >= 10**6:
        return _("about %(number)s million") % {"number": _number(value.count / 10**6, 1)}
    digits = len(str(value.count)) - 2
    return _("about %(count)s") % {"count": count(round(value.count, -digits))}
