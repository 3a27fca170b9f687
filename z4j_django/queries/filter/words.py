"""The words of a filter: where each term begins and ends, and what is quoted in it. Pure.

A filter is terms with white space between them. A term is ``name:value``, ``name:a,b`` or a free
word; a ``-`` before it negates it. Double quotes hold together what would end a word, a value or
a name; inside them a backslash stands before a quote or a backslash that is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from z4j_django.exceptions import FilterError
from z4j_django.values import UNSTORABLE

#: Characters of a filter, at most.
LENGTH_LIMIT: Final = 2000
#: Terms of a filter, and values of a term, at most.
TERMS_LIMIT: Final = 50
VALUES_LIMIT: Final = 50


@dataclass(frozen=True)
class Text:
    """A text in pieces, of which each was in quotes or was not."""

    pieces: tuple[tuple[str, bool], ...]

    def __str__(self) -> str:
        return "".join(piece for piece, _ in self.pieces)

    @property
    def bare(self) -> str:
        """What stood outside quotes."""
        return "".join(piece for piece, quoted in self.pieces if not quoted)

    @property
    def is_quoted(self) -> bool:
        """Whether all of it was in quotes."""
        return bool(self.pieces) and all(quoted for _, quoted in self.pieces)

    def split(self, separator: str) -> list[Text]:
        """Its parts between separators that stand outside quotes."""
        parts: list[list[tuple[str, bool]]] = [[]]
        for piece, quoted in self.pieces:
            if quoted:
                parts[-1].append((piece, True))
                continue
            first, *others = piece.split(separator)
            parts[-1] += [(first, False)] if first else []
            parts += [[(other, False)] if other else [] for other in others]
        return [Text(tuple(part)) for part in parts]

    def partition(self, separator: str) -> tuple[Text, Text | None]:
        """What stands before the first separator outside quotes, and what stands after it."""
        for index, (piece, quoted) in enumerate(self.pieces):
            before, found, after = piece.partition(separator)
            if found and not quoted:
                left = (*self.pieces[:index], *(((before, False),) if before else ()))
                right = (*(((after, False),) if after else ()), *self.pieces[index + 1 :])
                return Text(left), Text(right)
        return self, None


@dataclass(frozen=True)
class Word:
    """A term as it stands in the text.

    Attributes:
        typed: All of it.
        position: The column at which it begins, from 1; 0 where it stands alone.
        negated: Whether a ``-`` stands before it.
        name: What stands before the colon; ``None``: a free word.
        values: What stands after it, between commas; of a free word, the word.
    """

    typed: str
    position: int
    negated: bool
    name: Text | None
    values: tuple[Text, ...]

    def wrong(self, expected: str) -> FilterError:
        """The error that it was not what was expected."""
        return FilterError(self.typed, self.position, expected)


def words(text: str) -> list[Word]:
    """The terms of a filter.

    Raises:
        FilterError: If it is too long, or a quote is left open.
    """
    if len(text) > LENGTH_LIMIT:
        raise FilterError(text, 1, f"at most {LENGTH_LIMIT:,} characters")
    found: list[Word] = []
    position = 0
    while (position := _skip_space(text, position)) < len(text):
        pieces, end = _pieces(text, position, position + 1, until_space=True)
        if len(found) == TERMS_LIMIT:
            raise FilterError(text[position:end], position + 1, f"at most {TERMS_LIMIT} terms")
        found.append(_word(Text(pieces), text[position:end], position + 1))
        position = end
    return found


def word(name: str, value: str) -> Word:
    """A term that comes as a name and a value.

    Raises:
        FilterError: If it is too long, or a quote is left open.
    """
    typed = f"{name}:{value}"
    if len(typed) > LENGTH_LIMIT:
        raise FilterError(typed, 0, f"at most {LENGTH_LIMIT:,} characters")
    pieces, _ = _pieces(name, 0, 0, until_space=False)
    values, _ = _pieces(value.strip(), 0, 0, until_space=False)
    return _checked(Word(typed, 0, False, Text(pieces), _values(Text(values))))


def quote(text: str) -> str:
    """``text`` in quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def shown(text: str, special: str = "") -> str:
    """``text`` as a value, in quotes where it needs them.

    Args:
        text: The text.
        special: Characters that would mean something else there, besides those that always do.
    """
    plain = text and not any(one.isspace() or one in ',"' or one in special for one in text)
    return text if plain else quote(text)


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _word(text: Text, typed: str, position: int) -> Word:
    negated = typed.startswith("-")
    if negated:
        _, rest = text.partition("-")
        text = rest if rest is not None else text
    starts_quoted = bool(text.pieces) and text.pieces[0][1]
    name, value = (text, None) if starts_quoted else text.partition(":")
    if value is None:
        found = Word(typed, position, negated, None, (text,))
    else:
        found = Word(typed, position, negated, name, _values(value))
    return _checked(found)


def _values(text: Text) -> tuple[Text, ...]:
    return tuple(text.split(","))


def _checked(found: Word) -> Word:
    if UNSTORABLE.search(found.typed):
        raise found.wrong("text without NUL characters and broken ones")
    if len(found.values) > VALUES_LIMIT:
        raise found.wrong(f"at most {VALUES_LIMIT} values")
    if not all(value.pieces for value in found.values):
        raise found.wrong('a value; "" stands for none' if found.name else "a word")
    return found


def _pieces(
    text: str, start: int, column: int, *, until_space: bool
) -> tuple[tuple[tuple[str, bool], ...], int]:
    """The pieces from ``start`` on, and where they end."""
    pieces: list[tuple[str, bool]] = []
    bare: list[str] = []
    position = start
    while position < len(text) and not (until_space and text[position].isspace()):
        if text[position] != '"':
            bare.append(text[position])
            position += 1
            continue
        if bare:
            pieces.append(("".join(bare), False))
            bare = []
        inside, position = _quoted(text, position, start, column)
        pieces.append((inside, True))
    if bare:
        pieces.append(("".join(bare), False))
    return tuple(pieces), position


def _quoted(text: str, opening: int, start: int, column: int) -> tuple[str, int]:
    """What stands in the quotes that open at ``opening``, and where they are over."""
    inside: list[str] = []
    position = opening + 1
    while position < len(text):
        one = text[position]
        if one == '"':
            return "".join(inside), position + 1
        if one == "\\" and text[position + 1 : position + 2] in ('"', "\\"):
            position += 1
            one = text[position]
        inside.append(one)
        position += 1
    raise FilterError(text[start:], column, "a second quote that ends what the first one begins")
