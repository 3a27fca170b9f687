"""States and other words that stand for how something is."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from z4j_django.admin.formatting.texts import stacked
from z4j_django.models import TaskRecord


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
    """A word in the colour that some state has."""
    return format_html('<span class="z4j-pill z4j-{}">{}</span>', colour, word)


def mark(word: str) -> SafeString:
    """A second word."""
    return format_html('<span class="z4j-status">{}</span>', word)


def standing(task: TaskRecord) -> SafeString:
    """A task's state, above what it does not say."""
    state = pill(task.state)
    return stacked(state, mark(task.status)) if task.status else state
