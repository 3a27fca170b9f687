"""Whether a publisher chose how the arguments of its task are shown, to hide a secret.

Celery writes a repr of them into the headers ``argsrepr`` and ``kwargsrepr``, unless it is given
one, and shows that in its logs and events. What was given differs from what Celery would write.
To find that out no code of the values runs.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from celery._state import get_current_app
from celery.utils.saferepr import saferepr

#: Levels of a value that Celery shows, unless its settings say otherwise.
_LEVELS: Final = 3
#: Characters at which it cuts its reprs; what it has cut is longer or shorter by a few.
_CUT: Final = range(1_000, 1_100)
#: Characters of it that are no sign of the cut, at least.
_UNCUT: Final = 900
#: Bytes of JSON that are looked at, past those of the characters of the repr.
_ROOM: Final = 64
#: How a repr that is cut may end.
_END: Final = ".,)]}' "
#: Where reprs differ from JSON and from one another, and a tuple from the list that a worker has.
_SAME: Final = bytes.maketrans(b"()\n\r\t", b"[]nrt")
_IGNORED: Final = b" '\"\\"
#: Kinds whose repr is no code of the project's.
_KNOWN: Final = frozenset(
    {
        *(int, float, bool, type(None), bytes, decimal.Decimal, uuid.UUID),
        *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
    }
)


def is_chosen(shown: str, value: Any, encoded: msgspec.Raw | None = None, app: Any = None) -> bool:
    """Whether a repr is not the one that Celery would write.

    Args:
        shown: A header's.
        value: The arguments, or the keyword arguments.
        encoded: The same as JSON, where that is all of it.
        app: The project's app; by default the current one.
    """
    # As nearly always, and each at a small part of the cost of what comes after it.
    room = (2 if shown.isascii() else 4) * len(shown) + _ROOM
    if encoded is not None and len(encoded) < room and repr(value) == shown:
        return False
    uncut = shown.rstrip(_END) if len(shown) in _CUT else ""
    is_cut = len(uncut) >= _UNCUT
    text = _plain(_bytes(uncut if is_cut else shown))
    if encoded is not None and _is_of_json(text, memoryview(encoded)[:room], is_cut):
        return False
    if _is_like(text, repr(_Copy().of(value, _LEVELS)), is_cut):
        return False
    app = get_current_app() if app is None else app
    written = computed(app, _Copy().of(value, _levels(app), whole=True))
    return not _is_like(_plain(_bytes(shown)), written, False)


def computed(app: Any, value: Any) -> str:
    """What Celery would write of arguments, or of keyword arguments.

    Args:
        app: The project's app.
        value: Plain data: the code of other objects would run.
    """
    amqp = app.amqp
    size = amqp.kwargsrepr_maxsize if isinstance(value, dict) else amqp.argsrepr_maxsize
    return str(saferepr(value, size, maxlevels=_levels(app)))


def _levels(app: Any) -> int:
    return int(app.conf.get("task_repr_maxlevels", _LEVELS))  # Celery 5.6 has no such setting


class _Written:
    """Stands for an object, with a repr that is no code of its own."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


_STRANGER: Final = _Written("\0")
_TOO_DEEP: Final = {
    dict: _Written("{...}"),
    tuple: _Written("(...)"),
    list: _Written("[...]"),
}


def _is_of_json(text: bytes, encoded: memoryview, is_cut: bool) -> bool:
    whole = _plain(bytes(encoded))
    for word, name in ((b"null", b"None"), (b"true", b"True"), (b"false", b"False")):
        whole = whole.replace(word, name)
    return whole.startswith(text) if is_cut else whole == text


def _is_like(text: bytes, expected: str, is_cut: bool) -> bool:
    first, *others = _plain(_bytes(expected)).split(b"\0")
    if not others:
        return first.startswith(text) if is_cut else text == first
    if is_cut:
        return text.startswith(first)  # where it is cut depends on what the stranger wrote
    place = len(first)
    for part in others:
        place = text.find(part, place) + len(part)
        if place < len(part):
            return False
    return text.startswith(first) and text.endswith(others[-1])


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def _plain(text: bytes) -> bytes:
    return text.translate(_SAME, _IGNORED).replace(b",]", b"]")


class _Copy:
    """Copies as much of a value as a repr of Celery's shows, without what has code of its own."""

    __slots__ = ("room",)

    def __init__(self) -> None:
        #: Characters that are left, counted too few rather than too many.
        self.room = _CUT.stop

    def of(self, value: Any, levels: int, whole: bool = False) -> Any:
        kind = type(value)
        self.room -= 2
        if kind is str:
            self.room -= len(value) + 1
            return value if whole else value[: _CUT.stop]
        if kind is bytes and not whole:
            return value[: _CUT.stop]
        if type(kind) is type and kind in _KNOWN:
            return value
        if issubclass(kind, str):
            return self.of(str.__str__(value), levels, whole)
        return self._members(value, kind, levels, whole)

    def _members(self, value: Any, kind: type, levels: int, whole: bool) -> Any:
        for known in (dict, tuple, list):
            if not issubclass(kind, known):
                continue
            self.room -= 1
            if levels <= 0:
                return known() if whole else _TOO_DEEP[known]
            if known is dict:
                return dict(self._pairs(value, levels - 1, whole))
            return known(self._items(known.__iter__(value), levels - 1, whole))
        return _STRANGER

    def _items(self, items: Iterator[Any], levels: int, whole: bool) -> Iterator[Any]:
        for item in items:
            if self.room < 0:
                return
            yield self.of(item, levels, whole)

    def _pairs(self, value: Any, levels: int, whole: bool) -> Iterator[tuple[Any, Any]]:
        for key, part in dict.items(value):
            if self.room < 0:
                return
            yield self.of(key, 0, whole), self.of(part, levels, whole)
