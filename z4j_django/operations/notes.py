"""What the record shows in the place of a value, and what must never be sent as one."""

from __future__ import annotations

import re
from typing import Any, Final

from z4j_django.store.masking import MASK

#: How the record ends a text that is cut, and what it has for an object that is no plain data.
_NOTE: Final = re.compile(r"… \([^()]+\)$|^<\w+(\.[\w<>]+)+>$|^<an integer beyond 64 bits>$")
#: Characters of a name that the record does not cut.
_NAME: Final = 200


def place_of(value: Any) -> str:
    """Where in plain data something stands that is no real value; empty where nothing does.

    Args:
        value: JSON, such as arguments that somebody took from the record and changed.

    Returns:
        The place, such as ``user.cards[0]``.
    """
    return _place(value, "")


def _place(value: Any, place: str) -> str:
    if isinstance(value, str) and _is_note(value):
        return place or "the top"
    if isinstance(value, dict):
        if any(_is_note(key) or (len(key) > _NAME and key.endswith("…")) for key in value):
            return place or "the top"
        parts = [(f"{place}.{key}" if place else key, inner) for key, inner in value.items()]
    elif isinstance(value, list):
        parts = [(f"{place}[{index}]", inner) for index, inner in enumerate(value)]
    else:
        return ""
    return next((found for name, inner in parts if (found := _place(inner, name))), "")


def _is_note(text: str) -> bool:
    """Whether the record has this in the place of a value: a mask, or a word about what it was."""
    return MASK in text or text == "…" or _NOTE.search(text) is not None
