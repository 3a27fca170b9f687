"""The redacted display copy of arguments, results and tracebacks. Pure: no Django, no I/O.

What comes out is safe to show and to store: plain JSON of a bounded size, without NUL
characters and lone surrogates, with secrets masked where they stand. Work is bounded before any
pattern runs, and every pattern is linear in the text that it is given.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from z4j_django import values
from z4j_django.secrets import masking, tokens

MASK: Final = masking.MASK

#: Text read past a cut, so that a secret that straddles it is still known for one.
MARGIN: Final = 4096
_EDGE: Final = MARGIN // 2

#: Characters of a name that are shown.
KEY_LENGTH: Final = 200
_PAIR_LENGTH: Final = 64
_LARGEST_INTEGER: Final = 2**63
_PRINTABLE_BITS: Final = 4096  # about 1,200 digits; str() refuses past 4,300
_NAME: Final = "name"
_VALUE: Final = "value"
#: What the two keys of a pair are called.
_ROLES: Final = {
    **dict.fromkeys(("name", "key", "header", "field", "k"), _NAME),
    **dict.fromkeys(("value", "val", "v"), _VALUE),
}
_TOO_DEEP: Final = "… (nested too deeply)"


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """How much of a value is shown.

    Attributes:
        nodes: Values visited in all, containers included.
        depth: Levels of nesting.
        text: Bytes of UTF-8 text in all, keys included.
        string: Bytes of one string, so that a long one leaves room for the others.
    """

    nodes: int = 1000
    depth: int = 12
    text: int = 16 * 1024
    string: int = 4 * 1024


DEFAULT: Final = Budget()


def redact(
    value: object, *, budget: Budget = DEFAULT, rules: masking.Rules = masking.NO_RULES
) -> object:
    """Returns a copy of ``value`` that may be shown.

    Args:
        value: Plain JSON data, decoded. Anything else is shown by the name of its type; none of
            its code runs.
        budget: How much of it is shown. A note stands for what is left out.
        rules: What else is secret here.

    Returns:
        New plain JSON data with finite floats and integers of at most 64 bits.
    """
    return _Walk(budget, rules).value(value, 0)


def redact_args(
    args: Sequence[object],
    names: Sequence[str],
    *,
    budget: Budget = DEFAULT,
    rules: masking.Rules = masking.NO_RULES,
) -> list[object]:
    """Redacts positional arguments as if each stood under the name of its parameter.

    Args:
        args: The arguments, plain JSON data.
        names: The names of the parameters; there may be fewer or more than arguments.
        budget: How much is shown of all the arguments together.
        rules: What else is secret here.

    Returns:
        A list of plain JSON data. A last note stands for arguments past the budget.
    """
    walk = _Walk(budget, rules)
    shown: list[object] = []
    for index, value in enumerate(args):
        if walk.is_spent():
            shown.append(_more(len(args) - index))
            break
        name = names[index] if index < len(names) else ""
        shown.append(walk.named(masking.is_secret_name(name[:KEY_LENGTH], rules), value, 1))
    return shown


def redact_text(text: str, limit: int, rules: masking.Rules = masking.NO_RULES) -> str:
    """Masks secrets where they stand in a long text, and cuts the middle out of it.

    Args:
        text: For instance a traceback, of which the tail matters most.
        limit: The greatest length of what is returned, in characters.
        rules: What else is secret here.

    Returns:
        The text, or a quarter of ``limit`` from its head and the rest from its tail around a note.
    """
    window = limit + MARGIN
    if len(text) <= 2 * window:
        head = tail = _clean(text, rules)
        if len(head) <= limit:
            return head
    else:
        head = _before_edge(_clean(text[:window], rules))
        tail = _after_edge(_clean(masking.mask_orphan_pem(text[-window:]), rules))
    note = f"\n… ({len(text):,} characters, the middle left out) …\n"
    room = max(0, limit - len(note))
    in_tail = room - room // 4
    return head[: room // 4] + note[:limit] + tail[max(0, len(tail) - in_tail) :]


def _before_edge(text: str) -> str:
    """Leaves out the last line, or much of it: at a cut stands half of a secret, perhaps."""
    line = text.rfind("\n", max(0, len(text) - _EDGE))
    return text[:line] if line >= 0 else text[:-_EDGE]


def _after_edge(text: str) -> str:
    line = text.find("\n", 0, _EDGE)
    return text[line + 1 :] if line >= 0 else text[_EDGE:]


def _clean(text: str, rules: masking.Rules) -> str:
    """Masks secrets and replaces what no database can hold."""
    if "\0" in text or not text.isascii():
        text = values.UNSTORABLE.sub("\ufffd", text)
    return masking.mask_text(text, rules)


def _more(count: int) -> str:
    return f"… ({count:,} more)"


class _Walk:
    """One pass over one value, and what is left of its budget."""

    __slots__ = ("depth", "nodes", "rules", "string", "text")

    def __init__(self, budget: Budget, rules: masking.Rules) -> None:
        self.rules = rules
        self.nodes = budget.nodes
        self.depth = budget.depth
        self.text = budget.text
        self.string = budget.string

    def is_spent(self) -> bool:
        return self.nodes <= 0 or self.text <= 0

    def value(self, value: object, depth: int) -> object:
        self.nodes -= 1
        show = _SHOW.get(type(value))
        if show is None:
            return f"<{type(value).__name__[:KEY_LENGTH]}>"
        return show(self, value, depth)

    def named(self, is_secret: bool, value: object, depth: int) -> object:
        """Shows a value that stands under a name; of a secret, only that there is none."""
        if not is_secret or _is_absence(value):
            return self.value(value, depth)
        self.nodes -= 1
        self.text -= len(MASK)
        return MASK

    def show_text(self, text: str, depth: int) -> str:
        length = len(text)
        room = max(0, min(self.string, self.text))
        if length <= room:
            shown = _clean(text, self.rules)
        else:
            shown = _before_edge(_clean(text[: room + MARGIN], self.rules))
        if length > room or len(shown) > room or not shown.isascii():
            fitting = shown.encode()[:room].decode(errors="ignore")
            if length > room or len(fitting) < len(shown):
                fitting += f"… ({length:,} characters)"
            shown = fitting
        # The text that was read counts too, or masked text would be work for nothing.
        self.text -= max(min(length, room), len(shown))
        return shown

    def show_list(self, items: list[object], depth: int) -> object:
        if depth >= self.depth and items:
            return _TOO_DEEP
        shown: list[object] = []
        is_secret = False
        for item in items:
            if self.nodes <= 0 or self.text <= 0:
                shown.append(_more(len(items) - len(shown)))
                break
            shown.append(self.named(is_secret, item, depth + 1))
            is_secret = type(item) is str and self._announces(item, len(items))
        return shown

    def _announces(self, text: str, count: int) -> bool:
        """Whether ``text`` names the item after it: an option of a command, or one of a pair."""
        if text[:1] != "-" and (count != 2 or not text[:1].isalpha()):
            return False
        name = text.strip("-")
        return (
            len(name) <= _PAIR_LENGTH
            and name.replace("-", "").replace("_", "").isalnum()
            and masking.is_secret_name(name, self.rules)
        )

    def show_dict(self, items: dict[object, object], depth: int) -> object:
        if depth >= self.depth and items:
            return _TOO_DEEP
        shown: dict[str, object] = {}
        value_name, names_a_secret = "", False
        for seen, (key, value) in enumerate(items.items()):
            if self.nodes <= 0 or self.text <= 0:
                shown["…"] = _more(len(items) - seen)
                break
            text = key if type(key) is str else _key_text(key, self.rules)
            name, is_secret, role = _read_key(text, self.rules)
            self.text -= len(name)
            shown[name] = self.named(is_secret, value, depth + 1)
            # A pair, as forms, headers and environments write it: a ``name``, a ``value``.
            if role == _NAME and type(value) is str:
                names_a_secret |= masking.is_secret_name(value[:KEY_LENGTH], self.rules)
            elif role == _VALUE:
                value_name = name
        if names_a_secret and value_name:
            given = shown[value_name]
            shown[value_name] = given if _is_absence(given) else MASK
        return shown


def _is_absence(value: object) -> bool:
    return value is None or type(value) is bool or (type(value) is str and not value)


def _key_text(key: object, rules: masking.Rules) -> str:
    if type(key) is bytes:
        return key[:KEY_LENGTH].decode(errors="replace")
    return str(_Walk(DEFAULT, rules).value(key, 0))


def _read_key(key: str, rules: masking.Rules) -> tuple[str, bool, str]:
    if len(key) <= KEY_LENGTH:
        return _read_short_key(key, rules)
    name, is_secret, role = _read_short_key(key[:KEY_LENGTH], rules)
    return name + "…", is_secret, role


@functools.lru_cache(maxsize=4096)
def _read_short_key(key: str, rules: masking.Rules) -> tuple[str, bool, str]:
    """A key as it is shown, whether it names a secret, and what it is for in a pair."""
    return _clean(key, rules), masking.is_secret_name(key, rules), _ROLES.get(key.lower(), "")


def _show_integer(walk: _Walk, number: int, depth: int) -> object:
    if walk.rules.values and number.bit_length() < 64:
        text = str(number)
        if any(pattern.search(text) for pattern in walk.rules.values):
            return MASK
    if -(10**12) < number < 10**12:
        return number
    if -_LARGEST_INTEGER <= number < 10**19:
        if tokens.is_card_number(str(number)):
            return MASK
        return number if number < _LARGEST_INTEGER else str(number)
    if number.bit_length() <= _PRINTABLE_BITS:
        return walk.show_text(str(number), depth)
    return f"… (an integer of {number.bit_length():,} bits)"


def _show_float(walk: _Walk, number: float, depth: int) -> object:
    return number if math.isfinite(number) else values.word_of(number)


def _show_itself(walk: _Walk, value: object, depth: int) -> object:
    return value


_SHOW: Final[dict[type, Callable[[_Walk, Any, int], object]]] = {
    str: _Walk.show_text,
    int: _show_integer,
    float: _show_float,
    bool: _show_itself,
    type(None): _show_itself,
    dict: _Walk.show_dict,
    list: _Walk.show_list,
    tuple: _Walk.show_list,
}
