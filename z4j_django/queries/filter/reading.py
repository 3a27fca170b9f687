"""Terms from their words."""

from __future__ import annotations

import difflib
from datetime import datetime

from z4j_django.queries.filter import conditions, paths, values
from z4j_django.queries.filter.terms import ERROR_ID, TERMS, WORD, Kind, Term
from z4j_django.queries.filter.values import Exact, UnreadableError
from z4j_django.queries.filter.words import Text, Word


def read(word: Word, now: datetime) -> Term:
    """The term that a word is.

    Raises:
        FilterError: If it is none.
    """
    if word.name is None:
        return Term(WORD, (_free_value(word),), word.negated)
    name, *steps = word.name.split(".")
    kind = TERMS.get(str(name)) if not name.is_quoted else None
    if kind is None:
        raise word.wrong(_names(str(name)))
    path = _path(word, kind, steps)
    try:
        found = tuple(values.read(kind.shape, value, now) for value in word.values)
    except UnreadableError as error:
        raise word.wrong(str(error)) from None
    if kind.name == ERROR_ID.name and all(map(conditions.error_of, found)):
        kind = ERROR_ID
    return Term(kind, found, word.negated, path)


def _free_value(word: Word) -> Exact:
    text = word.values[0]
    whole = str(text).strip()
    if not whole:
        raise word.wrong("a word")
    last, quoted = text.pieces[-1]
    # It stands for a beginning anyway.
    starred = not quoted and last.endswith("*") and len(whole) > 1
    return Exact(whole[:-1].strip() if starred else whole)


def _path(word: Word, kind: Kind, steps: list[Text]) -> tuple[int | str, ...]:
    if kind.shape == "json":
        return paths.read(word, kind.name, kind.example, steps)
    if steps:
        raise word.wrong(f"nothing between {kind.name} and the colon")
    return ()


def _names(given: str) -> str:
    near = difflib.get_close_matches(given.lower(), TERMS, n=1)
    nearest = f", perhaps {near[0]}" if near else ""
    return (
        f"one of {', '.join(TERMS)} before the colon{nearest}; a free word with a colon goes in "
        "quotes"
    )
