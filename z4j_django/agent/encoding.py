"""Values of unknown size and kind as JSON, within a budget.

Task arguments and results may be any object: a ``repr`` may query a database, raise, or be a
hundred megabytes. So no method of theirs is called, and no more of them is touched than the
budget allows.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import sys
import uuid
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

import msgspec

from z4j_django import values

#: Values and keys, in all their depth.
NODES: Final = 2_000
#: Characters of text, all together.
CHARACTERS: Final = 16 * 1024
#: Levels of nesting.
DEPTH: Final = 20
#: Characters of one text in a value that is over the budget.
SHORT: Final = 1_024
#: Members of a mapping that are looked at one by one.
MEMBERS: Final = 256

#: Items from which on it pays to ask whether a list's are all of one kind.
MANY: Final = 16

#: Kinds whose text is ours to make: none of a value's own code runs.
_PRINTABLE: Final = frozenset({type(None), float, decimal.Decimal, uuid.UUID, datetime.timedelta})
_TEXT: Final = {str}
_MIN_INT: Final = -(2**63)
_MAX_INT: Final = 2**63
_NOTHING: Final = (msgspec.Raw(b"null"), True)
_encode = msgspec.json.Encoder().encode
_all_of: Final = chain.from_iterable
_is_finite: Final = math.isfinite


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
    whole = _encode_whole(value, CHARACTERS)
    if whole is not None:
        return msgspec.Raw(whole), True
    return msgspec.Raw(_encode(_Trimmer().trim(value, DEPTH))), False


def encode_members(members: dict[str, Any], room: int) -> tuple[msgspec.Raw, Sequence[str]]:
    """The members of a mapping that JSON can hold exactly, each whole or not at all.

    Args:
        members: Text to any object.
        room: Characters that they may take, all together.

    Returns:
        The JSON, and the names of the members that are left out of it.
    """
    whole = _encode_whole(members, room)
    if whole is not None:
        return msgspec.Raw(whole), ()
    kept: dict[str, msgspec.Raw] = {}
    left_out: list[str] = []
    for number, (key, value) in enumerate(dict.items(members)):
        part = None
        # A key of any other kind, once more in a mapping, would be asked for its hash.
        if number < MEMBERS and type(key) is str and _encode_whole(key, room) is not None:
            part = _encode_whole(value, room - len(key))
        if part is not None:
            kept[key] = msgspec.Raw(part)
            room -= len(key) + len(part)
        elif len(left_out) < MEMBERS:
            left_out.append(_Trimmer().trim(key, 1) if issubclass(type(key), str) else "…")
        else:
            break
    return msgspec.Raw(_encode(kept)), left_out


def _encode_whole(value: object, characters: int) -> bytes | None:
    """``value`` as JSON if it is nothing but plain data within the budget."""
    try:
        return _encode(value) if _is_small_and_plain(value, characters) else None
    except (UnicodeEncodeError, RecursionError, ValueError):
        return None  # a lone surrogate, or deeper than the encoder goes
    except TypeError:
        return None  # a class without a hash, by its metaclass


def _is_small_and_plain(value: object, characters: int) -> bool:
    nodes = NODES
    todo: list[Any] = [value]
    for item in todo:  # grows meanwhile, by no more than the nodes allow
        if item is None:
            continue
        kind = type(item)
        if kind is str:
            characters -= len(item)
            if characters < 0:
                return False
        elif kind is int:
            if not _MIN_INT <= item < _MAX_INT:
                return False
        elif kind is dict:
            nodes -= 1 + len(item)
            if nodes < 0:
                return False
            for key in item:
                if type(key) is not str:
                    return False
                characters -= len(key)
            todo += item.values()
        elif kind is list or kind is tuple:
            nodes -= 1 + len(item)
            if nodes < 0:
                return False
            if len(item) < MANY:
                todo += item
                continue
            used = _many(item, nodes)
            if used is None:
                return False
            nodes -= used[0]
            characters -= used[1]
            todo += used[2]
        elif kind is float:
            if not _is_finite(item):
                return False
        elif kind is not bool:
            return False
    return characters >= 0  # the keys count too


def _many(items: Sequence[Any], nodes: int) -> tuple[int, int, Iterable[Any]] | None:
    """Look at many values at once, as far as they are of one kind.

    Returns:
        The nodes and characters that this took of the budget, and what is still to be looked at;
        ``None`` where the values are not plain, or more than the nodes allow.
    """
    kinds = {*map(type, items)}
    kind = kinds.pop()
    if kinds:
        return 0, 0, items
    if kind is str:
        return 0, sum(map(len, items)), ()
    if kind is int:
        try:
            array("q", items)
        except OverflowError:
            return None
        return 0, 0, ()
    if kind is float:  # their sum is too, or may be where it is too great
        return (0, 0, ()) if _is_finite(sum(items)) or all(map(_is_finite, items)) else None
    if kind is list or kind is tuple:  # as one list, which will be counted as such
        if sum(map(len, items)) > nodes:
            return None
        return len(items) - 1, 0, ([*_all_of(items)],)
    return _rows(items, nodes) if kind is dict else (0, 0, items)


def _rows(rows: Sequence[dict[Any, Any]], nodes: int) -> tuple[int, int, Iterable[Any]] | None:
    """As ``_many``, of mappings: column by column where they are rows of one width."""
    height, width = len(rows), len(rows[0])
    if not 0 < width <= height or len({*map(len, rows)}) > 1:
        return 0, 0, rows
    if height * width > nodes:
        return None
    keys = [*_all_of(rows)]
    if {*map(type, keys)} != _TEXT:
        return None
    names = set(keys)  # if they are no more than the columns, each row has all of them
    same = len(names) == width
    characters = height * sum(map(len, names)) if same else sum(map(len, keys))
    # Each column will be counted as a list.
    return height - width, characters, zip(*map(dict.values, rows), strict=True)


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
        if value is None or kind is bool:
            return value
        if issubclass(kind, float):
            number = float.__float__(value)
            return number if _is_finite(number) else values.word_of(number)
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
            kind = type(key)
            if issubclass(kind, str):
                name = self._text(key)
            elif kind is bytes:  # it may be what tells that a value is secret
                name = self._text(key[:SHORT].decode(errors="replace"))
            else:
                name = str(self._other(key))
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
        if type(kind) is type:  # any other may compare and hash its classes by code of its own
            if kind in (datetime.datetime, datetime.date, datetime.time):
                return value.isoformat()
            is_short = kind is not decimal.Decimal or sys.getsizeof(value) <= SHORT
            if kind in _PRINTABLE and is_short:
                return self._text(str(value))
        return f"<{kind.__module__}.{kind.__qualname__}>"[:SHORT]
