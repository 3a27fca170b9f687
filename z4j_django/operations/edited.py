"""Arguments that somebody changed, joined with the original ones.

The record shows more than JSON has: a decimal, a moment, a UUID as text, a number that is not
finite by a word. Whoever changes one argument sends all of them back as they were shown. What
stands where it stood, as it was shown, is what it was.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from z4j_django import json_text
from z4j_django.agent import encoding
from z4j_django.control import bodies
from z4j_django.exceptions import OperationError
from z4j_django.secrets import placeholders

#: Items of a list, less those at both its ends that were left alone, of which it is found out where
#: they moved; beyond, each is taken for what stood at its place.
_FOLLOWED: Final = 1_000
#: Pairs of items that are looked at for what became of which.
_COMPARED: Final = 10_000


def joined(given: Any, original: Any) -> Any:
    """``given``, with what was not changed in it as it is in ``original``.

    Args:
        given: Plain JSON: as the record shows ``original``, or changed.
        original: As :func:`bodies.decode` reads it.

    Raises:
        OperationError: If a word for a number that is not finite stands where none stood.
    """
    return _Join().join(given, _shown(original), original, "")


class _Join:
    """One comparison."""

    def __init__(self) -> None:
        #: Equal values have one number.
        self._numbers: dict[Any, int] = {}
        #: Of lists and mappings, by their address: all of them live as long as this.
        self._known: dict[int, int] = {}

    def join(self, given: Any, shown: Any, original: Any, place: str) -> Any:
        """As :func:`joined`, of what stands at one place."""
        if self._number(given) == self._number(shown):
            return original
        if isinstance(given, dict) and isinstance(shown, dict):
            named = [(key, key, f"{place}.{key}" if place else key) for key in given]
            return dict(self._members(given, shown, original, named))
        if isinstance(given, list) and isinstance(shown, list):
            pairs = dict(self._pairs(given, shown))
            placed = [(i, pairs.get(i, len(shown)), f"{place}[{i}]") for i in range(len(given))]
            return [value for _, value in self._members(given, shown, original, placed)]
        return _new(given, place)

    def _members(
        self, given: Any, shown: Any, original: Any, places: Sequence[tuple[Any, Any, str]]
    ) -> Iterator[tuple[Any, Any]]:
        for key, old, place in places:
            is_old = old in shown if isinstance(shown, dict) else old < len(shown)
            yield (
                key,
                self.join(given[key], shown[old], original[old], place)
                if is_old
                else _new(given[key], place),
            )

    def _number(self, value: Any) -> int:
        if (known := self._known.get(id(value))) is not None:
            return known
        key: Any = repr(value)  # a number, a truth and a text are never the same
        if isinstance(value, dict):
            key = frozenset((name, self._number(part)) for name, part in value.items())
        elif isinstance(value, list):
            key = tuple(map(self._number, value))
        number = self._numbers.setdefault(key, len(self._numbers))
        if isinstance(value, dict | list):
            self._known[id(value)] = number
        return number

    def _pairs(self, given: list[Any], shown: list[Any]) -> Iterator[tuple[int, int]]:
        """Which items of two lists are one, changed or not, where others came or went."""
        ours, theirs = [*map(self._number, given)], [*map(self._number, shown)]
        shorter = min(len(ours), len(theirs))
        head = next((i for i in range(shorter) if ours[i] != theirs[i]), shorter)
        rest = shorter - head
        tail = next((i for i in range(rest) if ours[-1 - i] != theirs[-1 - i]), rest)
        yield from ((index, index) for index in range(head))
        yield from ((len(ours) - back, len(theirs) - back) for back in range(1, tail + 1))
        here, there = range(head, len(ours) - tail), range(head, len(theirs) - tail)
        if max(len(here), len(there)) > _FOLLOWED:
            yield from zip(here, there, strict=False)
            return
        mine, its = ours[here.start : here.stop], theirs[there.start : there.stop]
        for _, *ends in difflib.SequenceMatcher(None, its, mine).get_opcodes():
            yield from self._likest(given, here[ends[2] : ends[3]], shown, there[ends[0] : ends[1]])

    def _likest(
        self, given: list[Any], here: range, shown: list[Any], there: range
    ) -> Iterator[tuple[int, int]]:
        """Pairs of items that stand between the same neighbours."""
        if len(here) == len(there) or len(here) * len(there) > _COMPARED:
            yield from zip(here, there, strict=False)
            return
        left = list(there)
        for index in here:
            likeness = {place: self._likeness(given[index], shown[place]) for place in left}
            likest = max(left, key=likeness.__getitem__, default=None)
            if likest is not None and likeness[likest]:
                left.remove(likest)
                yield index, likest

    def _likeness(self, given: Any, shown: Any) -> int:
        """How much two lists or mappings have in common."""
        if isinstance(given, dict) and isinstance(shown, dict):
            common = [key for key in given if key in shown]
            same = sum(self._number(given[key]) == self._number(shown[key]) for key in common)
            return len(common) + 2 * same
        if isinstance(given, list) and isinstance(shown, list):
            return len({*map(self._number, given)} & {*map(self._number, shown)})
        return 0


def _new(value: Any, place: str) -> Any:
    """A value that was given, and did not stand there before."""
    if found := placeholders.place_of_number(value, place):
        raise OperationError(
            f"The value at {found} is the record's word for a number that JSON does not have. It "
            "can stay where it was, and be sent nowhere else."
        )
    return value


def _shown(value: Any, depth: int = json_text.DEPTH_LIMIT) -> Any:
    """What the record shows of a value, but for what it masks or cuts, which is never sent."""
    value = bodies.unmarked(value)
    if isinstance(value, dict | list | tuple) and depth <= 0:
        return "…"
    if isinstance(value, dict):
        return {key: _shown(part, depth - 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item, depth - 1) for item in value]
    if isinstance(value, str | int) or value is None:
        return value
    return msgspec.json.decode(encoding.encode_value(value)[0])
