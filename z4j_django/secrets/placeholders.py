"""What the record shows in the place of a value, and what must never be sent as one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from z4j_django import values
from z4j_django.secrets.masking import MASK
from z4j_django.secrets.redaction import KEY_LENGTH

#: How the record ends a text that is cut, and what it has for an object that is no plain data.
_PLACEHOLDER: Final = re.compile(r"… \([^()]+\)$|^<\w+(\.[\w<>]+)+>$|^<an integer beyond 64 bits>$")
_NUMBERS: Final = frozenset(map(values.word_of, map(float, ("nan", "inf", "-inf"))))


def chosen_args(shown: str) -> list[str]:
    """What the record has where the publisher chose what is shown of the arguments."""
    return [f"{MASK} {shown}"]


def chosen_kwargs(shown: str) -> dict[str, str]:
    """The same of keyword arguments."""
    return {MASK: shown}


def is_chosen(recorded: Any) -> bool:
    """Whether the record has one of these."""
    first = next(iter(recorded), None) if isinstance(recorded, list | dict) else None
    return isinstance(first, str) and f"{first} ".startswith(f"{MASK} ")


def place_of(value: Any) -> str:
    """Where in plain data something stands that is masked or cut; empty where nothing does.

    Args:
        value: JSON, such as arguments that somebody took from the record and changed.

    Returns:
        The place, such as ``user.cards[0]``.
    """
    return _place(value, "", _is_placeholder)


def place_of_number(value: Any, place: str = "") -> str:
    """The same of a word for a number that is not finite.

    Args:
        value: JSON.
        place: Where it stands itself.
    """
    return _place(value, place, _NUMBERS.__contains__)


def _place(value: Any, place: str, is_one: Callable[[str], bool]) -> str:
    if isinstance(value, str) and is_one(value):
        return place or "the top"
    if isinstance(value, dict):
        if any(is_one(key) or _is_cut(key) for key in value):
            return place or "the top"
        parts = [(f"{place}.{key}" if place else key, inner) for key, inner in value.items()]
    elif isinstance(value, list):
        parts = [(f"{place}[{index}]", inner) for index, inner in enumerate(value)]
    else:
        return ""
    return next((found for name, inner in parts if (found := _place(inner, name, is_one))), "")


def _is_placeholder(text: str) -> bool:
    """Whether the record has this in the place of a value: a mask, or a word about what it was."""
    return MASK in text or text == "…" or _PLACEHOLDER.search(text) is not None


def _is_cut(key: str) -> bool:
    return len(key) > KEY_LENGTH and key.endswith("…")
