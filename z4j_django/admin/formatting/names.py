"""Names and ids: somebody else's words, of any length and in any direction."""

from __future__ import annotations

import re
from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString

from z4j_django.values import NOTHING

_SHORT_ID_LENGTH: Final = 8
#: Characters of a name on a page: of one that is longer, the begin and the end.
_NAME_LENGTH: Final = 256
#: Characters of a release's name.
_RELEASE_LENGTH: Final = 20
_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}")


def name(value: str) -> SafeString:
    """A task's, queue's or worker's name on one line, whose end the page never cuts.

    Where there is no room for all of it, its begin goes: of ``shop.tasks.charge_card`` is left
    ``…charge_card``. The whole is in the title, and what is copied.
    """
    if not value:
        return nothing()
    shown = value
    if len(shown) > _NAME_LENGTH:
        half = _NAME_LENGTH // 2
        shown = f"{value[:half]}…{value[-half:]}"
    return format_html(
        '<span class="z4j-name" title="{}"><bdi dir="ltr">{}</bdi></span>', value, shown
    )


def text(value: str) -> SafeString:
    """A text on one line: its end is cut by the page where it is too long, whole in the title."""
    if not value:
        return nothing()
    return format_html('<bdi class="z4j-text" title="{}">{}</bdi>', value, value)


def identifier(value: str) -> SafeString:
    """A short id, of which the whole is in the title, and what is copied."""
    if not value:
        return nothing()
    return format_html(
        '<bdi class="z4j-id" title="{}" data-z4j-copy="{}">{}</bdi>', value, value, short_id(value)
    )


def short_id(task_id: str) -> str:
    """The beginning of a UUID; other ids as they are, cut where they are long."""
    if len(task_id) == 36 and task_id.count("-") == 4:
        return task_id[:_SHORT_ID_LENGTH]
    return task_id if len(task_id) <= 24 else f"{task_id[:23]}…"


def short_release(value: str) -> str:
    """A release's name as there is room for it; of a commit, what people call it by."""
    if _COMMIT.fullmatch(value):
        return value[:_SHORT_ID_LENGTH]
    return value if len(value) <= _RELEASE_LENGTH else f"{value[: _RELEASE_LENGTH - 1]}…"


def release(value: str) -> SafeString:
    """A release's name, of which the whole is in the title, and what is copied."""
    return format_html(
        '<bdi title="{}" data-z4j-copy="{}">{}</bdi>', value, value, short_release(value)
    )


def act(url: str, label: str, what: str) -> SafeString:
    """A small button in a list that leads to a page which asks; readers hear of what it is."""
    return format_html(
        '<a class="z4j-button z4j-small" href="{}" aria-label="{} {}">{}</a>',
        url,
        label,
        what,
        label,
    )


def plain(value: str) -> SafeString:
    """``value`` escaped, its writing direction kept to itself."""
    return format_html("<bdi>{}</bdi>", value)


def missing(task_id: str) -> SafeString:
    """An id of which nothing more can be shown."""
    return format_html('<bdi class="z4j-id">{}</bdi>', task_id)


def nothing() -> SafeString:
    """What stands where nothing is known."""
    return format_html('<span class="z4j-quiet">{}</span>', NOTHING)
