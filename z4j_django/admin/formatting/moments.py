"""Times: how long ago, with the full moment on hover and for readers.

A page that stays open is aged by ``z4j.js``, by the same rule and with the same words.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from z4j_django.admin.formatting.names import nothing

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
#: From how many seconds on a time is told by its date, and not by how long it is ago.
_DATED: Final = 30 * _DAY


def words() -> dict[str, str]:
    """What ``z4j.js`` says of times: ``%s`` stands for a number, ``%t`` for a length of time."""
    return {
        "s": _("%s s"),
        "min": _("%s min"),
        "h": _("%s h"),
        "d": _("%s d"),
        "ago": _("%t ago"),
        "ahead": _("in %t"),
        "due": _("now"),
    }


def span(seconds: float) -> str:
    """A length of time in its greatest unit: ``12 s``, ``12 min``, ``5 h``, ``3 d``."""
    whole, said = max(int(seconds), 0), words()
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        # Two of a unit at least: 100 minutes say more than one hour. But 90 minutes are enough.
        if whole >= size * (2 if size > _MINUTE else 1):
            return said[unit].replace("%s", str(whole // size))
    return said["s"].replace("%s", str(whole))


def moment(value: datetime | None, now: datetime | None = None) -> SafeString:
    """How long ago something was, or how far ahead it is: ``12 min ago``, ``in 3 h``.

    Args:
        value: The time, or None.
        now: The time to compare it with.

    Returns:
        A ``<time>`` element; after a month, it says the date.
    """
    if value is None:
        return nothing()
    local = _local(value)
    seconds = (_local(now or timezone.now()) - local).total_seconds()
    if abs(seconds) >= _DATED:
        return _time(local, "", date_format(local, "DATE_FORMAT"))
    which = "ago" if seconds > -1 else "ahead"
    return _time(local, "moment", words()[which].replace("%t", span(abs(seconds))))


def due(value: datetime | None, now: datetime | None = None) -> SafeString:
    """How far ahead something is; once its moment has come, that it is due now."""
    if value is None:
        return nothing()
    local = _local(value)
    seconds = (local - _local(now or timezone.now())).total_seconds()
    if seconds >= _DATED:
        return moment(value, now)
    said = words()
    return _time(
        local, "due", said["ahead"].replace("%t", span(seconds)) if seconds >= 1 else said["due"]
    )


def elapsed(since: datetime | None, now: datetime | None = None) -> SafeString:
    """How long something has been going on: ``18 min``."""
    if since is None:
        return nothing()
    local = _local(since)
    seconds = (_local(now or timezone.now()) - local).total_seconds()
    return _time(local, "elapsed", span(seconds))


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


def precise(value: datetime) -> str:
    """A time to the microsecond, with its zone."""
    local = _local(value)
    zone = f" {local.tzname()}" if local.tzinfo else ""
    return f"{local:%Y-%m-%d %H:%M:%S.%f}{zone}"


def _time(local: datetime, kind: str, shown: str) -> SafeString:
    full = precise(local)
    return format_html(
        '<time class="z4j-time" datetime="{}" title="{}" aria-label="{}, {}"{}>{}</time>',
        local.isoformat(),
        full,
        shown,
        full,
        format_html(' data-z4j-time="{}"', kind) if kind else "",
        shown,
    )


def _local(value: datetime) -> datetime:
    return timezone.localtime(value) if timezone.is_aware(value) else value
