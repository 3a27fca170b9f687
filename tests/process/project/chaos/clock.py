"""A wall clock that can be set: each process adds an offset that the harness writes to a file."""

from __future__ import annotations

import importlib
import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

#: A process has the clock of its number, modulo these.
CLOCKS: Final = 16
_OFFSET: Final = struct.Struct("d")


def write(path: Path, offsets: list[float]) -> None:
    """Set all clocks; whoever has mapped the file sees it at once.

    Args:
        path: The file.
        offsets: Seconds of each clock.
    """
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(struct.pack(f"{CLOCKS}d", *offsets))


def install(path: Path) -> None:
    """Shift ``time.time`` in this process and in those that it forks.

    The monotonic clock stays, and so does Kombu's wall clock, with which it decides when a
    message is delivered again: its modules bind the function when they are imported.
    """
    importlib.import_module("kombu.transport.redis")
    with path.open("rb") as file:
        offsets = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    unshifted = time.time

    def shifted() -> float:
        place = os.getpid() % CLOCKS * _OFFSET.size
        offset: float = _OFFSET.unpack_from(offsets, place)[0]
        return unshifted() + offset

    time.time = shifted
