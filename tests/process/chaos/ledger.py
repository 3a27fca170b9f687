"""Reads the ledger that the processes keep: while it grows, and whole at the end."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from tests.process.project.chaos.ledger import BYE, SUFFIX, UNWRITTEN

HELLO: Final = "hello"
#: How a task ends: Celery rejects one whose retry can't be sent.
FINISHES: Final = frozenset({"succeeded", "failed", "rejected"})
#: How a run ends.
ENDS: Final = FINISHES | {"retry"}


class Line(NamedTuple):
    """One thing that happened."""

    kind: str
    retries: int
    #: Nanoseconds on the clock that nobody sets.
    true_time: int
    #: Seconds since the epoch, as the process believed.
    wall_time: float
    task_id: str


@dataclass
class Life:
    """A process, from its first line to its last."""

    pid: int
    role: str
    lines: list[Line] = field(default_factory=list)
    #: Whether it ended in good order.
    ended: bool = False
    #: Events of workers, and not of tasks, that it could not write.
    unwritten: int = 0
    _offset: int = 0
    _rest: bytes = b""

    def read_on(self, path: Path) -> list[Line]:
        """The lines that are new."""
        if path.stat().st_size == self._offset:
            return []
        with path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        self._offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        fresh = [line for text in whole if (line := self._parse(text.decode()))]
        self.lines += fresh
        return fresh

    def _parse(self, text: str) -> Line | None:
        kind, retries, true_time, wall_time, task_id = text.split(" ", 4)
        if kind == BYE:
            self.ended = True
        if kind == UNWRITTEN:
            self.unwritten += 1
        if kind in (BYE, HELLO, UNWRITTEN):
            return None
        return Line(
            sys.intern(kind), int(retries), int(true_time), float(wall_time), sys.intern(task_id)
        )


class Ledger:
    """All lives of a run.

    Args:
        folder: Where their files are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lives: dict[str, Life] = {}
        #: How many lines there are of each kind.
        self.counted: Counter[str] = Counter()
        #: Sends whose message nobody has started yet.
        self.waiting: set[tuple[str, int]] = set()
        self._started: set[tuple[str, int]] = set()
        self.task_ids: set[str] = set()

    @property
    def unwritten(self) -> int:
        """Events of workers, and not of tasks, that could not be written."""
        return sum(life.unwritten for life in self.lives.values())

    def read_on(self) -> int:
        """Take in what is new; the number of lines."""
        fresh = 0
        for path in self.folder.glob(f"*{SUFFIX}"):
            life = self.lives.get(path.name)
            if life is None:
                pid, role, _ = path.name.split("-")
                life = self.lives[path.name] = Life(int(pid), role)
            if not life.ended:
                lines = life.read_on(path)
                fresh += len(lines)
                for line in lines:
                    self._take(line)
        return fresh

    def _take(self, line: Line) -> None:
        self.counted[line.kind] += 1
        key = (line.task_id, line.retries)
        if line.kind == "sent":
            self.task_ids.add(line.task_id)
            if key not in self._started:
                self.waiting.add(key)
        elif line.kind == "started":
            self._started.add(key)
            self.waiting.discard(key)
