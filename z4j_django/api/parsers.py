"""The one form in which the API takes a body: JSON, bounded, without surprises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from z4j_django.api import problems

#: Bytes of a body.
BODY_LIMIT: Final = 1024**2
#: Lists and objects inside one another.
DEPTH_LIMIT: Final = 32


class JSONParser(BaseParser):
    """JSON as its standard has it, with nothing in it that a database or broker can't take."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """What the body says.

        Raises:
            ParseError: If it is no JSON.
            Problem: If it is too large.
        """
        raw = stream.read(BODY_LIMIT + 1)
        if len(raw) > BODY_LIMIT:
            raise problems.TooLarge(f"A body may have at most {BODY_LIMIT} bytes.")
        return decode(raw)


def decode(raw: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ParseError: If it is none, or holds what can't be stored.
    """
    try:
        value = json.loads(
            raw.decode(),
            parse_constant=_constant,
            parse_float=_float,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise ParseError(_TOO_DEEP) from None
    except ValueError as error:  # with it: texts that are not UTF-8, and endless numbers
        raise ParseError(f"The body is no JSON: {error}"[:300]) from None
    _look_through(value)
    return value


_TOO_DEEP: Final = f"The body has more than {DEPTH_LIMIT} lists and objects in one another."


def _constant(word: str) -> Any:
    raise ValueError(f"JSON has no {word}")


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too great")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a member twice")
    return found


def _look_through(value: Any) -> None:
    """See that the value is not too deep, and that each of its texts can be stored."""
    level: list[Any] = [value]
    depth = 0
    while level:
        below: list[Any] = []
        for one in level:
            if isinstance(one, str):
                _look_at(one)
            elif isinstance(one, list | dict):
                if depth == DEPTH_LIMIT:
                    raise ParseError(_TOO_DEEP)
                below += one
                below += one.values() if isinstance(one, dict) else ()
        level = below
        depth += 1


def _look_at(text: str) -> None:
    if "\0" in text:
        raise ParseError("A text in the body has a NUL character, which can't be stored.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParseError("A text in the body has half a surrogate pair.") from None
