"""Which names and queues have statistics of their own: names may come without end. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from z4j_django.values import OTHER

#: Far more than projects have, and as many as a page can read at once.
NAMES: Final = 2_000
QUEUES: Final = 1_000
#: Names with queues; a task goes to one or two of them, and not to any.
PAIRS: Final = 5_000
#: Days of silence after which another name may take a place.
KEPT: Final = 30

#: The day on which a name was last counted with a queue.
Days: TypeAlias = dict[tuple[str, str], int]

_decode: Final = msgspec.msgpack.Decoder(list[tuple[str, str, int]]).decode


class Roster:
    """Gives names and queues their places, as long as there are any.

    Args:
        column: What :attr:`column` was before.
    """

    def __init__(self, column: bytes) -> None:
        rows = _decode(column) if column else []
        self._days: Days = {(name, queue): day for name, queue, day in rows}
        self.is_changed = False

    @property
    def column(self) -> bytes:
        """The roster as a column holds it."""
        rows = [(name, queue, day) for (name, queue), day in sorted(self._days.items())]
        return msgspec.msgpack.encode(rows)

    def place(
        self, wanted: Mapping[tuple[str, str], int]
    ) -> dict[tuple[str, str], tuple[str, str]]:
        """Under which name and queue each is counted.

        Args:
            wanted: The names with their queues, and a day on which they were counted.
        """
        fresh = {
            pair: day
            for pair, day in wanted.items()
            if pair not in self._days or day > self._days[pair]
        }
        found = {pair: pair for pair in wanted if pair not in fresh}
        if fresh:
            self.is_changed = True
            if len(self._days) + len(fresh) > NAMES:
                self._free(max(fresh.values()))
            names = {name for name, _ in self._days} - {OTHER}
            queues = {queue for _, queue in self._days} - {OTHER}
            for (name, queue), day in sorted(fresh.items()):
                place = (_of(name, names, NAMES), _of(queue, queues, QUEUES))
                if place not in self._days and len(self._days) >= PAIRS:
                    place = (place[0], OTHER)
                self._days[place] = max(day, self._days.get(place, day))
                found[name, queue] = place
        return found

    def _free(self, today: int) -> None:
        self._days = {pair: day for pair, day in self._days.items() if day > today - KEPT}


def _of(text: str, known: set[str], limit: int) -> str:
    """The text itself, while there are places."""
    if text in known:
        return text
    if len(known) >= limit:
        return OTHER
    known.add(text)
    return text
