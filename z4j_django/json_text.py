"""The one reader of JSON that people and programs send: nothing in it is guessed. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from z4j_django.values import UNSTORABLE

#: Lists and objects inside one another.
DEPTH_LIMIT: Final = 32
_TOO_DEEP: Final = f"it is nested too deeply: more than {DEPTH_LIMIT} lists and objects in another"
_UNSTORABLE: Final = "a text in it has a NUL character or half a surrogate pair: no database has it"


class JSONTextError(ValueError):
    """A text is no JSON that can be sent on; the message begins in lower case."""


def read(text: str | bytes) -> Any:
    """The value of a JSON text.

    Args:
        text: The text; bytes are UTF-8.

    Raises:
        JSONTextError: If it is none, has a member twice, or holds what :func:`plain` refuses.
    """
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        value = json.loads(
            decoded, parse_constant=_constant, parse_float=_float, object_pairs_hook=_object
        )
    except JSONTextError:
        raise
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise JSONTextError(f"it is no JSON: {error.msg}, {place}") from None
    except RecursionError:
        raise JSONTextError(_TOO_DEEP) from None
    except ValueError as error:  # a text that is not UTF-8, an integer without end
        raise JSONTextError(f"it is no JSON: {error}"[:300]) from None
    _look_through(value)
    return value


def plain(value: Any) -> Any:
    """A copy of a Python value as JSON has it: tuples are lists.

    Args:
        value: Texts, numbers, truths, None, and lists and dicts of them.

    Raises:
        JSONTextError: If it holds anything else, an infinite number, a key that is no text, or a
            text that no database stores.
    """
    _look_through(value)
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise JSONTextError(f"it is no plain JSON: {error}"[:300]) from None


def _constant(word: str) -> Any:
    raise JSONTextError(f"there is no {word} in JSON")


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise JSONTextError("a number in it is too great")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise JSONTextError("an object in it has the same key twice")
    return found


def _look_through(value: Any) -> None:
    """See that a value is not too deep, and that each of its texts can be stored."""
    level: list[Any] = [value]
    for depth in range(DEPTH_LIMIT + 1):
        below: list[Any] = []
        for one in level:
            if isinstance(one, str):
                if UNSTORABLE.search(one):
                    raise JSONTextError(_UNSTORABLE)
            elif isinstance(one, dict):
                if not all(isinstance(key, str) for key in one):
                    raise JSONTextError("an object in it has a key that is no text")
                below += [*one, *one.values()]
            elif isinstance(one, list | tuple):
                below += one
        if depth == DEPTH_LIMIT and any(isinstance(one, list | tuple | dict) for one in level):
            raise JSONTextError(_TOO_DEEP)
        level = below
