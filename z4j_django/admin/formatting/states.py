"""States and other words that stand for how something is."""

from __future__ import annotations

from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from z4j_django import states, verbs
from z4j_django.admin.formatting.moments import moment, precise
from z4j_django.admin.formatting.names import text
from z4j_django.admin.formatting.numbers import count
from z4j_django.admin.formatting.texts import stacked
from z4j_django.models import GroupRecord, PausedQueue, TaskRecord

#: The signs of how a run ended: well, badly, neither; and of one that goes on.
_GOOD, _BAD, _NEITHER, _OPEN = "✓", "✗", "‒", "…"  # noqa: RUF001 - a dash as wide as a figure
_SIGNS: Final = {
    states.SUCCESS: (_GOOD, "z4j-good"),
    states.FAILURE: (_BAD, "z4j-bad"),
    states.REJECTED: (_BAD, "z4j-bad"),
    states.REVOKED: (_NEITHER, "z4j-warn"),
    states.IGNORED: (_NEITHER, "z4j-quiet"),
}


def sign(run: TaskRecord, url: str | None) -> SafeString:
    """How a run ended, as one character; its words are in the title, and for readers."""
    shown, kind = _SIGNS.get(run.state, (_OPEN, "z4j-quiet"))
    words = f"{run.state} {precise(run.sent_at) if run.sent_at else ''}".rstrip()
    if run.operation is not None:
        words = _("%(run)s, by hand") % {"run": words}
    if url is None:
        return format_html(
            '<span class="z4j-sign {}" role="img" title="{}" aria-label="{}">{}</span>',
            kind,
            words,
            words,
            shown,
        )
    return format_html(
        '<a class="z4j-sign {}" href="{}" title="{}" aria-label="{}">{}</a>',
        kind,
        url,
        words,
        words,
        shown,
    )


def pill(state: str, word: str = "", colour: str = "") -> SafeString:
    """A state in its colour, and a second word beside it; the words say the same without colour.

    Args:
        state: The first word, such as ``FAILURE``, ``online``, ``NEW``.
        word: What it does not say, such as ``possibly lost``.
        colour: Of a task's state whose colour it has; its own, where it is one.
    """
    shown = coloured(colour or state.lower(), state)
    return format_html("{} {}", shown, mark(word)) if word else shown


def badge(state: str) -> SafeString:
    """A state in its colour."""
    return pill(state)


def coloured(colour: str, word: str) -> SafeString:
    """A word in the colour that some state has, in the reader's language where it is ours."""
    return format_html('<span class="z4j-pill z4j-{}">{}</span>', colour, _(word))


def mark(word: str) -> SafeString:
    """A second word."""
    return format_html('<span class="z4j-status">{}</span>', word)


def status(task: TaskRecord) -> str:
    """What a task's state does not say, as ``queries.status`` found it."""
    return ", ".join(one.told_in(_) for one in task.said)


def verb(name: str, *, in_sentence: bool = False) -> str:
    """What an operation does, in words."""
    words = verbs.VERBS[name].words if name in verbs.VERBS else name
    return _(words.lower() if in_sentence else words)


def kind(group: GroupRecord) -> str:
    """``chord of 50``."""
    is_chord = group.kind == GroupRecord.Kind.CHORD
    words = _("chord of %(count)s") if is_chord else _("group of %(count)s")
    return words % {"count": count(group.size)}


def standing(task: TaskRecord) -> SafeString:
    """A task's state, above what it does not say."""
    state = pill(task.state)
    said = status(task)
    return stacked(state, mark(said)) if said else state


def paused(pause: PausedQueue) -> SafeString:
    """Who paused a queue, since and until when, and why."""
    shown = format_html(
        _("paused by {who} {since}"), who=text(pause.paused_by), since=moment(pause.since)
    )
    if pause.until is not None:
        until = moment(pause.until)
        shown = format_html(_("{paused}, resumed {until}"), paused=shown, until=until)
    return format_html("{}: {}", shown, text(pause.reason)) if pause.reason else shown
