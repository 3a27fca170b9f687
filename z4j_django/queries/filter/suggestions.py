"""How a filter that is being typed may go on: terms, and the values that are on record.

Nothing of it looks at the tasks themselves: names, queues and the like come from their indexes, a
bounded number of lookups each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from z4j_django.queries.filter import terms, words
from z4j_django.queries.status import STATUSES
from z4j_django.values import UNSTORABLE

#: Suggestions at once, and of one term's values where no term is named yet.
LIMIT: Final = 12
_OF_EACH: Final = 4
#: Terms whose values a word without a name may begin, and the characters that it takes.
_NAMED: Final = ("state", "is", "name", "queue", "worker")
_ENOUGH: Final = 2


@dataclass(frozen=True)
class Suggestion:
    """One way to go on.

    Attributes:
        text: The whole filter, if it is taken.
        position: Where one types on then.
        shown: The term that it adds.
        help: What that finds; empty where the value says it.
    """

    text: str
    position: int
    shown: str
    help: str = ""


@dataclass(frozen=True)
class _Place:
    """Where somebody types.

    Attributes:
        start: Where the term begins, after its ``-``.
        end: Where it is over.
        name: What stands before its colon; ``None``: there is none yet.
        value: Where the value begins that is being typed.
        typed: As much of the value, or of the term without a colon, as stands before the cursor.
    """

    start: int
    end: int
    name: str | None
    value: int
    typed: str


def suggest(text: str, position: int) -> list[Suggestion]:
    """How a filter may go on at ``position``, :data:`LIMIT` ways at most.

    Args:
        text: As it stands.
        position: The place of the cursor, from 0.
    """
    if len(text) > words.LENGTH_LIMIT or UNSTORABLE.search(text):
        return []
    place = _place(text, min(max(position, 0), len(text)))
    found = _terms(place) if place.name is None else _values(place, place.name)
    return list(islice((_put(text, place, *one) for one in found), LIMIT))


def _place(text: str, position: int) -> _Place:
    """The term around the cursor; quotes hold together what they do in a filter."""
    start = value = 0
    name: str | None = None
    quoted = False
    at = 0
    while at < position:
        one = text[at]
        if quoted and one == "\\":
            at += 1
        elif one == '"':
            quoted = not quoted
        elif quoted:
            pass
        elif one.isspace():
            start, value, name = at + 1, at + 1, None
        elif one == "-" and at == start:
            start = value = at + 1
        elif one == ":" and name is None:
            name, value = text[start:at], at + 1
        elif one == "," and name is not None:
            value = at + 1
        at += 1
    end = position
    while end < len(text) and not text[end].isspace() and text[end] != ",":
        end += 1
    return _Place(start, end, name, value, text[value:position])


def _plain(typed: str) -> str:
    """What was typed of a value, without its quotes."""
    return typed.replace('\\"', "\0").replace('"', "").replace("\0", '"').rstrip("*")


def _terms(place: _Place) -> Iterator[tuple[str, str]]:
    """The terms that begin so, and those of which a value does."""
    typed = _plain(place.typed)
    for kind in terms.TERMS.values():
        if kind.name.startswith(typed.lower()):
            dot = "." if kind.shape == "json" else ":"
            yield f"{kind.name}{dot}", kind.help
    if len(typed) < _ENOUGH:
        return
    for name in _NAMED:
        kind = terms.TERMS[name]
        if kind.suggestions is not None:
            for value in kind.suggestions(typed)[:_OF_EACH]:
                yield f"{name}:{words.shown(value, '*')}", _help(kind, value)


def _values(place: _Place, name: str) -> Iterator[tuple[str, str]]:
    """The values of a term that begin so."""
    kind = terms.TERMS.get(name)
    if kind is None or kind.suggestions is None:
        return
    for value in kind.suggestions(_plain(place.typed)):
        yield words.shown(value, "*"), _help(kind, value)


def _help(kind: terms.Kind, value: str) -> str:
    return STATUSES[value].help if kind.shape == "status" else ""


def _put(text: str, place: _Place, added: str, said: str) -> Suggestion:
    """The filter with what is added in the place of what was typed."""
    begin = place.value if place.name is not None else place.start
    # After a value comes the next term; after a term's name its value.
    space = "" if added[-1] in ":." and place.name is None else " "
    rest = text[place.end :]
    if space and rest[:1] in (" ", ","):
        space = ""
    before = text[:begin] + added + space
    return Suggestion(before + rest, len(before), text[place.start : begin] + added, said)
