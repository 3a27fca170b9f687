"""Looks at a journal directory from outside: makes nothing, and holds a lock for a probe only."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from z4j_django.agent import events, journal, shipper
from z4j_django.exceptions import SegmentError

#: Bytes that are read at once.
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True)
class Segment:
    """A segment at one moment."""

    name: str
    #: Bytes.
    size: int
    #: Whether the process that writes it still has it.
    writing: bool


@dataclass(frozen=True)
class Holder:
    """Who has a lease.

    Attributes:
        pid: What the lock file says; 0 where it says nothing.
        since: When it was taken, in seconds since the epoch.
    """

    pid: int
    since: float


@dataclass(frozen=True)
class View:
    """A journal directory at one moment.

    Attributes:
        directory: Where it is.
        exists: Whether it is there at all.
        segments: The oldest first.
        process: The shipper process, if one has its lease.
        shipper: Whoever ships: that process, or a thread of another.
        dead: Events that no database takes.
        unreadable: Files that were set aside as a whole.
    """

    directory: Path
    exists: bool
    segments: tuple[Segment, ...] = ()
    process: Holder | None = None
    shipper: Holder | None = None
    dead: int = 0
    unreadable: int = 0

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    @property
    def writers(self) -> int:
        """Segments that someone still writes."""
        return sum(segment.writing for segment in self.segments)

    @property
    def names(self) -> list[str]:
        """Of the segments."""
        return [segment.name for segment in self.segments]


@dataclass(frozen=True)
class Lag:
    """What a journal holds that is not stored.

    Attributes:
        size: Bytes.
        events: Whole lines.
        oldest: Time of the oldest of them, in seconds since the epoch.
    """

    size: int = 0
    events: int = 0
    oldest: float | None = None

    def seconds(self, now: float) -> float:
        """The age of the oldest."""
        return 0.0 if self.oldest is None else max(now - self.oldest, 0.0)


def look(directory: Path) -> View:
    """The journal in ``directory``.

    Raises:
        OSError: If it can't be read.
    """
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return View(directory, exists=False)
    segments = [_segment(directory / name) for name in names if name.endswith(journal.SUFFIX)]
    return View(
        directory,
        exists=True,
        segments=tuple(segment for segment in segments if segment is not None),
        process=holder(shipper.process_lease(directory).path),
        shipper=holder(shipper.lease(directory).path),
        dead=_count_lines(directory / shipper.DEAD),
        unreadable=sum(name.endswith(".unreadable") for name in names),
    )


def holder(lease: Path) -> Holder | None:
    """Who has the lease of this lock file, or ``None`` where it is free."""
    try:
        fd = os.open(lease, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if not _is_locked(fd):
            return None
        word = os.pread(fd, 32, 0).strip()
        return Holder(int(word) if word.isdigit() else 0, os.fstat(fd).st_mtime)
    finally:
        os.close(fd)


def lag(view: View, positions: Mapping[str, int]) -> Lag:
    """What of ``view`` is not stored.

    Args:
        view: The journal; what was written since does not count.
        positions: The byte up to which each segment is stored; none for those never stored.
    """
    size = count = 0
    oldest: float | None = None
    for segment in view.segments:
        with contextlib.suppress(FileNotFoundError, SegmentError):  # stored; or without a header
            found = _pending(view.directory, segment, positions.get(segment.name, 0))
            size += found.size
            count += found.events
            if found.oldest is not None:
                oldest = min(found.oldest, found.oldest if oldest is None else oldest)
    return Lag(size, count, oldest)


def _pending(directory: Path, segment: Segment, stored: int) -> Lag:
    file = journal.SegmentFile(directory / (segment.name + journal.SUFFIX))
    size = count = 0
    oldest: float | None = None
    file.offset = max(stored, file.start)
    try:
        while file.offset < segment.size:
            data, end = file.read(_CHUNK)
            if not data:
                break
            data = data[: segment.size - file.offset]
            if not count:
                oldest = _time_of_first(data)
            size += len(data)
            count += data.count(b"\n")
            file.offset = end
    finally:
        file.close()
    return Lag(size, count, oldest)


def _time_of_first(data: bytes) -> float | None:
    found, _ = events.decode(data.partition(b"\n")[0] + b"\n")
    return found[0].at if found else None


def _segment(path: Path) -> Segment | None:
    try:
        file = journal.open_own(path)
    except (FileNotFoundError, SegmentError):
        return None  # stored meanwhile, or none that a shipper reads
    with file:
        return Segment(path.stem, os.fstat(file.fileno()).st_size, _is_locked(file.fileno()))


def _is_locked(fd: int) -> bool:
    """Whether someone else has the lock; a shared one, so that two probes do not meet."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _count_lines(path: Path) -> int:
    try:
        with open(path, "rb") as file:
            return sum(line.endswith(b"\n") for line in file)
    except (FileNotFoundError, IsADirectoryError):
        return 0
