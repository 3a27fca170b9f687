r"""What else is secret in a project: ``Z4J["REDACT"]``, and what its patterns may be. Pure.

Patterns run on texts that anyone may have written, so they must not take long on any. Python's
engine tries the ways in which a pattern can fit, one after the other, from each place of a text
on. So a pattern is refused, by its structure, where these are too many:

- A repetition of texts has an upper bound: ``\d{1,30}``, not ``\d+``. (Names are short: there,
  no bound counts as their length.)
- A pattern fits at most ``LONGEST`` characters, and no empty text.
- The ways are at most ``WAYS``. A character or a class has one; a repetition ``{m,n}`` as many as
  there are counts, a possessive one of a character or a class, one; a repetition of what has
  several ways, their powers; what stands in a row, the product; alternatives, the sum.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from re import _constants, _parser  # type: ignore[attr-defined]  # typeshed leaves them out
from typing import Any, Final

from z4j_django.secrets import masking

#: Patterns of each kind, and characters of one.
NUMBER: Final = 50
LENGTH: Final = 500
#: Characters that a pattern of texts fits. Texts are cut with more than that in reserve.
LONGEST: Final = 1_000
WAYS: Final = 1_000


def from_setting(keys: Sequence[str], values: Sequence[str], emails: bool) -> masking.Rules:
    """The rules that ``Z4J["REDACT"]`` makes; the same ones for the same setting.

    Args:
        keys: Patterns that are searched in names, in snake case.
        values: Patterns that are searched in texts.
        emails: Whether addresses are masked.

    Raises:
        ValueError: If a pattern can't be taken; the message names it.
    """
    return _made(tuple(keys), tuple(values), emails)


@functools.lru_cache(maxsize=8)
def _made(keys: tuple[str, ...], values: tuple[str, ...], emails: bool) -> masking.Rules:
    return masking.Rules(
        keys=tuple(_compiled("keys", keys, masking.NAME_LENGTH)),
        values=tuple(_compiled("values", values, None)),
        emails=emails,
    )


def _compiled(kind: str, given: Sequence[str], endless: int | None) -> Sequence[re.Pattern[str]]:
    where = f"Z4J['REDACT'][{kind!r}]"
    if len(given) > NUMBER:
        raise ValueError(f"{where} has {len(given)} patterns; it may have {NUMBER}.")
    for text in given:
        try:
            if problem := _problem(text, endless):
                raise ValueError(f"{where} has {_short(text)}, which {problem}")
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{where} has {_short(text)}, which is no pattern: {error}.") from None
    return [re.compile(text) for text in given]


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _problem(text: str, endless: int | None) -> str:
    """Why a pattern can't be taken, to follow "which"; empty where it can."""
    if len(text) > LENGTH:
        return f"has {len(text)} characters; a pattern may have {LENGTH}."
    re.compile(text)
    parsed = _parser.parse(text)
    shortest, longest = parsed.getwidth()
    if shortest == 0:
        return "fits an empty text, and so stands everywhere."
    if endless is None and longest >= _constants.MAXREPEAT:
        return "repeats without end; give it a bound: {1,30} in place of +, {0,30} in place of *."
    if endless is None and longest > LONGEST:
        return f"fits up to {longest} characters; it may fit {LONGEST}."
    if _ways(parsed, endless) > WAYS:
        return (
            f"can fit a text in more than {WAYS} ways, which takes too long where it does not; "
            "give repetitions smaller bounds, or make them possessive: {1,30}+."
        )
    return ""


def _ways(parsed: Any, endless: int | None) -> int:
    """In how many ways a sequence can fit; what is past ``WAYS`` is not counted."""
    ways = 1
    for operation, told in parsed:
        count = _COUNTS.get(operation)
        ways *= WAYS + 1 if count is None else count(told, endless)
        if ways > WAYS:
            return WAYS + 1
    return ways


def _one(told: Any, endless: int | None) -> int:
    return 1


def _of_repetition(told: Any, endless: int | None) -> int:
    least, most, inner = told
    if most is _constants.MAXREPEAT:
        if endless is None:  # within what is not counted for the width, as a lookahead
            return WAYS + 1
        most = max(least, endless)
    each = _ways(inner, endless)
    if each == 1:
        return int(most - least + 1)
    ways = 0
    for count in range(least, most + 1):
        ways += each ** min(count, WAYS.bit_length())
        if ways > WAYS:
            break
    return ways


def _of_possessive(told: Any, endless: int | None) -> int:
    return 1 if _ways(told[2], endless) == 1 else _of_repetition(told, endless)


def _of_branch(told: Any, endless: int | None) -> int:
    return sum(_ways(branch, endless) for branch in told[1])


def _of_condition(told: Any, endless: int | None) -> int:
    return sum(_ways(branch, endless) for branch in told[1:] if branch)


_COUNTS: Final[dict[Any, Callable[[Any, int | None], int]]] = {
    **dict.fromkeys(
        (
            _constants.ANY,
            _constants.AT,
            _constants.GROUPREF,
            _constants.IN,
            _constants.LITERAL,
            _constants.NOT_LITERAL,
        ),
        _one,
    ),
    _constants.ASSERT: lambda told, endless: _ways(told[1], endless),
    _constants.ASSERT_NOT: lambda told, endless: _ways(told[1], endless),
    _constants.ATOMIC_GROUP: lambda told, endless: _ways(told, endless),
    _constants.BRANCH: _of_branch,
    _constants.GROUPREF_EXISTS: _of_condition,
    _constants.MAX_REPEAT: _of_repetition,
    _constants.MIN_REPEAT: _of_repetition,
    _constants.POSSESSIVE_REPEAT: _of_possessive,
    _constants.SUBPATTERN: lambda told, endless: _ways(told[3], endless),
}
