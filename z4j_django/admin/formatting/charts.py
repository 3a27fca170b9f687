"""Small pictures, made here: lines, bars, slots.

Sizes are attributes of SVG: a style attribute would need an exception in a site's policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from z4j_django.admin.formatting.numbers import count, duration

#: The picture of a line, in its own units; the page stretches it.
_WIDTH: Final = 100
_HEIGHT: Final = 24
#: So many slots are drawn one by one; more are a bar.
_SLOTS: Final = 8


def sparkline(values: Sequence[float | None], label: str, outcome: str = "") -> SafeString:
    """A line over time, the newest value at the right; where a value is not known it breaks.

    Args:
        values: The oldest first.
        label: What a reader is told instead, such as ``waiting in the last hour, at most 412``.
        outcome: Whose colour it has: finished, failed, retried, revoked; by default none's.
    """
    known = [value for value in values if value is not None]
    if not known:
        return SafeString("")
    top = max([*known, 0]) or 1
    step = _WIDTH / max(len(values) - 1, 1)
    heights = [
        None if value is None else f"{_HEIGHT - 1 - (_HEIGHT - 2) * max(value, 0) / top:.3g}"
        for value in values
    ]
    parts, before = [], None
    for place, (height, after) in enumerate(zip(heights, [*heights[1:], None], strict=True)):
        # Most lines are flat for long, and a page has many of them.
        if height is not None and not before == height == after:
            parts.append(f"{'M' if before is None else 'L'}{place * step:.3g} {height}")
        before = height
    if len(known) == 1:
        parts.append("h1")
    return format_html(
        '<svg class="z4j-spark{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" '
        'aria-label="{}"><title>{}</title><path d="{}" vector-effect="non-scaling-stroke"/></svg>',
        f" z4j-of-{outcome}" if outcome else "",
        str(_WIDTH),
        str(_HEIGHT),
        label,
        label,
        "".join(parts),
    )


def bars(values: Sequence[float], titles: Sequence[str], label: str, kind: str = "") -> SafeString:
    """A bar for each value, as high as it is great; one that is small but there is seen.

    Args:
        values: From the left.
        titles: What is said of each.
        label: What a reader is told of all.
        kind: The colour: an outcome's, ``run`` or ``wait``; by default none's.
    """
    top = max(values, default=0) or 1
    heights = [max(_HEIGHT * value / top, 1) if value > 0 else 0.4 for value in values]
    drawn = format_html_join(
        "",
        '<rect x="{}" y="{}" width="0.8" height="{}"{}><title>{}</title></rect>',
        (
            (
                f"{place + 0.1:.1f}",
                f"{_HEIGHT - height:.2f}",
                f"{height:.2f}",
                "" if value > 0 else SafeString(' class="z4j-none"'),
                title,
            )
            for place, (value, height, title) in enumerate(
                zip(values, heights, titles, strict=True)
            )
        ),
    )
    return format_html(
        '<svg class="z4j-bars{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}</svg>',
        f" z4j-of-{kind}" if kind else "",
        str(len(values)),
        str(_HEIGHT),
        label,
        drawn,
    )


def slots(used: int, of: int | None) -> SafeString:
    """A worker's slots, those in use filled, and the two numbers."""
    if not of or of < 0:
        return format_html('<span class="z4j-slots">{}</span>', count(used))
    words = _("%(used)s of %(all)s slots in use") % {"used": count(used), "all": count(of)}
    numbers = f"{count(used)}/{count(of)}"
    if of > _SLOTS:
        return _bar(min(used / of, 1), words, numbers, "z4j-slots")
    boxes = format_html_join(
        "",
        '<rect class="z4j-slot{}" x="{}" y="1" width="8" height="12" rx="1"/>',
        ((" z4j-used" if place < used else "", str(10 * place + 1)) for place in range(of)),
    )
    return format_html(
        '<span class="z4j-slots"><svg viewBox="0 0 {} 14" width="{}" height="14" role="img" '
        'aria-label="{}"><title>{}</title>{}</svg> {}</span>',
        str(10 * of),
        str(10 * of),
        words,
        words,
        boxes,
        numbers,
    )


def progress(done: float, of: float, label: str = "") -> SafeString:
    """How much of something is done: a bar, and ``47 of 50``."""
    part = min(max(done / of, 0), 1) if of > 0 else 0
    words = _("%(done)s of %(all)s") % {"done": count(done), "all": count(of)}
    return _bar(part, label or words, words, "z4j-progress")


def bar(part: float, label: str, *, is_bad: bool = False) -> SafeString:
    """A bar that is filled in part, from 0 to 1, and says what it is to readers alone."""
    kind = "z4j-gauge z4j-over" if is_bad else "z4j-gauge"
    return _bar(min(max(part, 0), 1), label, "", kind)


def _bar(part: float, label: str, words: str, kind: str) -> SafeString:
    return format_html(
        '<span class="{}"><svg class="z4j-bar" viewBox="0 0 100 8" preserveAspectRatio="none" '
        'role="img" aria-label="{}"><title>{}</title><rect class="z4j-slot" width="100" '
        'height="8"/><rect class="z4j-slot z4j-used" width="{}" height="8"/></svg> {}</span>',
        kind,
        label,
        label,
        f"{100 * part:.1f}",
        words,
    )


def pace_bar(wait: float | None, run: float | None) -> SafeString:
    """A slim bar that splits the time between waiting and running; empty where neither is known."""
    total = sum(_known((wait, run)))
    if total <= 0:
        return SafeString("")
    part = 100 * (wait or 0.0) / total
    label = _("waited %(wait)s, ran %(run)s") % {"wait": duration(wait), "run": duration(run)}
    return format_html(
        '<svg class="z4j-pace" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" '
        'aria-label="{}"><title>{}</title>'
        '<rect class="z4j-wait" width="{}" height="4"/>'
        '<rect class="z4j-run" x="{}" width="{}" height="4"/></svg>',
        label,
        label,
        f"{part:.2f}",
        f"{part:.2f}",
        f"{100 - part:.2f}",
    )


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
