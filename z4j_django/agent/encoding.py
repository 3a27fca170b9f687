"""Values of unknown size and kind as JSON, within a budget.

Task arguments and results may be any object: a ``repr`` may query a database, raise, or be a
hundred megabytes. So no method of theirs is called, and no more of them is touched than the
budget allows.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import sys
import uuid
from typing import Any, Final

import msgspec

#: Values and keys, in all their depth.
NODES: Final = 2_000
#: Characters of text, all together.
CHARACTERS: Final = 16 * 1024
#: Levels of nesting.
DEPTH: Final = 20
#: Characters of one text in a value that is over the budget.
SHORT: Final = 1_024

_ATOMS: Final = frozenset({bool, type(None), float})
#: Kinds whose text is ours to make: none of a value's own code runs.
_PRINTABLE: Final = _ATOMS | {decimal.Decimal, uuid.UUID, datetime.timedelta}
_MAX_INT: Final = 2**63
_NOTHING: Final = (msgspec.Raw(b"null"), True)
_encode = msgspec.json.Encoder().encode


def encode_value(value: object) -> tuple[msgspec.Raw, bool]:
    """``value`` as JSON, whole where it is plain data within the budget.

    Args:
        value: Any object.

    Returns:
        The JSON, and whether it is the whole value. Where it is not, long texts and containers
        are cut, and what is no plain data stands as its type's name in angle brackets.
    """
    if value is None:
        return _NOTHING
    if _is_small_and_plain(value):
        try:
            return msgspec.Raw(_encode(value)), True
        except (UnicodeEncodeError, RecursionError, ValueError):
            pass  # a lone surrogate, or deeper than the encoder goes
    return msgspec.Raw(_encode(_Trimmer().trim(value, DEPTH))), False


def _is_small_and_plain(value: object) -> bool:
    nodes = NODES
    characters = CHARACTERS
    stack: list[Any] = [value]
    pop, extend = stack.pop, stack.extend
    while stack:
        item = pop()
        kind = type(item)
        if kind is str:
            characters -= len(item)
            if characters < 0:
                return False
        elif kind is int:
            if not -_MAX_INT <= item < _MAX_INT:
                return False
        elif kind in _ATOMS:
            continue
        elif kind is dict:
            nodes -= 1 + len(item)
            if nodes < 0:
                return False
            for key in item:
                if type(key) is not str:
                    return False
                characters -= len(key)
            extend(item.values())
        elif kind is list or kind is tuple:
            nodes -= 1 + len(item)
            if nodes < 0:
                return False
            extend(item)
        else:
            return False
    return characters >= 0  # the keys count too


class _Trimmer:
    """Copies what the budget allows of a value."""

    def __init__(self) -> None:
        self.nodes = NODES
        self.characters = CHARACTERS

    def trim(self, value: Any, depth: int) -> Any:
        self.nodes -= 1
        if self.nodes <= 0 or self.characters <= 0 or depth <= 0:
            return "…"
        kind = type(value)  # isinstance() would ask the value for its __class__
        if kind in _ATOMS:
            return value
        if issubclass(kind, float):
            return float.__float__(value)
        if issubclass(kind, int):
            whole = int.__int__(value)
            return whole if -_MAX_INT <= whole < _MAX_INT else "<an integer beyond 64 bits>"
        if issubclass(kind, str):
            return self._text(value)
        if issubclass(kind, dict):
            return self._mapping(value, depth)
        if issubclass(kind, (list, tuple)):
            return self._sequence(value, depth)
        return self._other(value)

    def _text(self, value: str) -> str:
        length = str.__len__(value)
        room = max(min(SHORT if length > SHORT else length, self.characters), 0)
        self.characters -= room
        text = str.__getitem__(value, slice(room)).encode(errors="replace").decode()
        return text if room >= length else f"{text}… ({length:,} characters)"

    def _mapping(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        for key, item in dict.items(value):
            if self.nodes <= 0 or self.characters <= 0:
                copy["…"] = f"{dict.__len__(value):,} keys"
                break
            name = self._text(key) if issubclass(type(key), str) else str(self._other(key))
            copy[name] = self.trim(item, depth - 1)
        return copy

    def _sequence(self, value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        kind = list if issubclass(type(value), list) else tuple
        copy: list[Any] = []
        for item in kind.__iter__(value):  # type: ignore[arg-type]  # of the same kind
            if self.nodes <= 0 or self.characters <= 0:
                copy.append(f"… ({kind.__len__(value):,} items)")  # type: ignore[arg-type]
                break
            copy.append(self.trim(item, depth - 1))
        return copy

    def _other(self, value: Any) -> Any:
        kind = type(value)
        if issubclass(kind, enum.Enum):
            return self._text(value._name_ or kind.__qualname__)
        if issubclass(kind, int):
            return str(self.trim(value, 1))
        if kind in (datetime.datetime, datetime.date, datetime.time):
            return value.isoformat()
        is_short = kind is not decimal.Decimal or sys.getsizeof(value) <= SHORT
        if kind in _PRINTABLE and is_short:
            return self._text(str(value))
        return f"<{kind.__module__}.{kind.__qualname__}>"[:SHORT]
