"""Where in a column of JSON a term looks: places in lists, and keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from z4j_django.queries.filter.words import Text, Word

#: Keys that lead to a value inside an argument, at most.
_DEPTH: Final = 12
_INDEX: Final = re.compile(r"\d{1,9}", re.ASCII)


def is_place(text: str) -> bool:
    """Whether a step reads as a place in a list."""
    return _INDEX.fullmatch(text) is not None


def read(word: Word, name: str, example: str, steps: Sequence[Text]) -> tuple[int | str, ...]:
    """The path that stands behind a term's name.

    Args:
        word: The whole term.
        name: Its name, that of a column.
        example: What such a term looks like.
        steps: What stands between the dots.

    Raises:
        FilterError: If it is none.
    """
    path = tuple(_step(step) for step in steps)
    if name == "kwargs" and path:
        # The names of arguments are keys, whatever they look like.
        path = (str(steps[0]), *path[1:])
    if name == "args" and not (path and isinstance(path[0], int)):
        raise word.wrong("args. and the place of an argument, from 0, such as args.0")
    if not path or not all(step.pieces for step in steps):
        raise word.wrong(f"{name}. and a name, such as {example}")
    if len(path) > _DEPTH:
        raise word.wrong(f"at most {_DEPTH} names between dots")
    return path


def _step(step: Text) -> int | str:
    text = str(step)
    return int(text) if not step.is_quoted and is_place(text) else text
