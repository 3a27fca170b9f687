"""How evidence is put into words. What came with tasks is cut: it may be of any length."""

from __future__ import annotations

from typing import Final

#: Characters of a name, an id, a hostname.
_LENGTH: Final = 80


def short(text: str) -> str:
    """A name as evidence quotes it."""
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"
