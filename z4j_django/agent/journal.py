"""The journal: one append-only segment file per process, which outlives the process.

A segment is locked (``flock``) by its writer for as long as the writer lives; so whoever can
take the lock knows that nothing more will be written. Local disks only: ``O_APPEND`` and
``flock`` mean nothing on NFS.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import secrets
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from z4j_django.agent import events, forks, private
from z4j_django.exceptions import JournalError, SegmentError

SUFFIX: Final = ".journal"
#: A segment that has no header yet; never read.
UNBORN: Final = ".unborn"
#: Bytes after which a segment is closed and the next one begins.
ROLL_AT: Final = 4 * 1024 * 1024
#: Seconds after which a segment without a header is litter, if nobody holds it.
UNBORN_FOR: Final = 60.0
#: Seconds between two looks whether the segment's file is still there: a look costs twice as
#: much as a write. What is written in between is carried over at the next, or at the end.
CHECK_EVERY: Final = 0.001
#: Seconds after which a segment that the disk did not take is tried again.
BIRTH_EVERY: Final = 0.5


class _Segment:
    """An open segment. Its file closes when the last thread that writes to it lets go.

    So a thread that was about to write never meets a number that means another file by now.
    """

    __slots__ = ("__weakref__", "carried", "checked", "fd", "heir", "name", "size", "torn")

    def __init__(self, name: str, fd: int) -> None:
        self.name = name
        self.fd = fd
        self.size = 0
        self.torn = False
        self.checked = 0.0
        #: Where its file was deleted: that which has taken its place, and how much it has of it.
        self.heir: _Segment | None = None
        self.carried = 0

    def __del__(self) -> None:
        os.close(self.fd)


class TornError(OSError):
    """The disk took a part of a line: its reader finds that, and tells of it as one loss."""


class GoneError(OSError):
    """So many events went with a file that someone deleted."""

    def __init__(self, count: int) -> None:
        super().__init__(errno.ENOENT, "the segment's file was deleted")
        self.count = count


class Journal:
    """Writes this process's events. Threads need no lock: each event is one ``write()``.

    Args:
        directory: Where the segments lie; made when the first event comes.
        project: Name of the project, for the segments' headers.
        find_directory: Asked for another where this one can't be used.
        release: What the process runs, likewise for the headers.
    """

    def __init__(
        self,
        directory: Path,
        project: str,
        find_directory: Callable[[], Path] | None = None,
        release: str = "",
    ) -> None:
        self.directory = directory
        self.project = project
        self.release = release
        self._find_directory = find_directory
        self._segment: _Segment | None = None
        #: Why the last segment could not begin, and when the next may be tried.
        self._stillborn: tuple[int | None, str | None] | None = None
        self._next_birth = 0.0
        #: Of those who carry over what a deleted file held; no other waits for it.
        self._lock = threading.RLock()
        forks.tell(self)

    def write(self, line: bytes) -> None:
        """Append one whole line.

        Raises:
            TornError: If the disk took a part of it.
            GoneError: If it went with others, whose file someone deleted.
            OSError: If the disk took nothing of it.
            JournalError: If the directory is not private to this user.
        """
        segment = self._segment
        if segment is None:
            segment = self._segment = self._open()
        mend = b"\n" if segment.torn else b""
        written = os.write(segment.fd, mend + line)
        segment.size += written
        written -= len(mend)
        segment.torn = written != 0 and written < len(line)
        now = time.monotonic()
        if now - segment.checked >= CHECK_EVERY or self._segment is not segment:
            segment.checked = now
            if _is_deleted(segment.fd):
                self._carry_over(segment)
        if written < len(line) - 1:  # what lacks its newline alone is whole: that comes later
            raise (TornError if written > 0 else OSError)(errno.ENOSPC, "no room for an event")
        if segment.size >= ROLL_AT and self._segment is segment and (count := self.close()):
            raise GoneError(count)

    def close(self) -> int:
        """End the segment; the next event begins another.

        Returns:
            How many events are gone, with a file that someone deleted.
        """
        segment, self._segment = self._segment, None
        if segment is None or not _is_deleted(segment.fd) or self._carry_over(segment):
            return 0
        return _read(segment.fd, 0).count(b"\n") - 1  # the header is none

    def after_fork(self) -> None:
        """Let go of the parent's segment, in the child."""
        self._segment = None
        self._lock = threading.RLock()

    def _carry_over(self, segment: _Segment) -> bool:
        """Write a segment anew, whose file someone deleted: a cleaner of temporary files, say.

        Under its own name, by which its cursor goes: so what is stored of it is not stored twice.

        Returns:
            Whether it is done; if not, the open file keeps what it holds, until the next try.
        """
        with self._lock, contextlib.suppress(OSError, JournalError):
            if segment.heir is None:
                content = _read(segment.fd, 0)
                segment.heir = self._open(segment.name, content)
                segment.heir.torn = segment.torn
                segment.carried = len(content)
                if self._segment is segment:
                    self._segment = segment.heir
            # Of threads that had it in hand. Those that write later see that it is not the one.
            rest = _read(segment.fd, segment.carried)
            if rest and os.write(segment.heir.fd, rest) < len(rest):
                raise OSError(errno.ENOSPC, "no room for the end of a segment")
            segment.carried += len(rest)
            return not _is_deleted(segment.heir.fd) or self._carry_over(segment.heir)
        return False

    def _open(self, name: str = "", content: bytes = b"") -> _Segment:
        """Begin a segment; on a full disk only now and then, since each try makes a file.

        Args:
            name: As of one that was deleted.
            content: What it held.
        """
        if self._stillborn is not None and time.monotonic() < self._next_birth:
            raise OSError(*self._stillborn)
        try:
            private.make(self.directory)
        except JournalError:
            if self._find_directory is None:
                raise
            self.directory = self._find_directory()
            private.make(self.directory)
        try:
            segment = self._bear(name or new_name(), content or self._header())
        except OSError as error:
            self._stillborn = error.errno, error.strerror
            self._next_birth = time.monotonic() + BIRTH_EVERY
            raise
        self._stillborn = None
        return segment

    def _header(self) -> bytes:
        host, pid = socket.gethostname(), os.getpid()
        header = events.Header(events.SCHEMA, self.project, host, pid, self.release)
        return events.encode(header)

    def _bear(self, name: str, content: bytes) -> _Segment:
        unborn = self.directory / (name + UNBORN)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        segment = _Segment(name, os.open(unborn, flags, 0o600))
        try:
            fcntl.flock(segment.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            segment.size = os.write(segment.fd, content)
            if segment.size != len(content):
                raise OSError(errno.ENOSPC, "no room for a segment's header")
            unborn.rename(unborn.with_suffix(SUFFIX))
        except BaseException:
            unborn.unlink(missing_ok=True)
            raise
        return segment


def _is_deleted(fd: int) -> bool:
    return os.fstat(fd).st_nlink == 0


def _read(fd: int, begin: int) -> bytes:
    """All from byte ``begin`` on."""
    return os.pread(fd, max(os.fstat(fd).st_size - begin, 0), begin)


def new_name() -> str:
    """A segment's: no other has it, and those that come later sort behind it."""
    return f"{time.time_ns():019d}-{os.getpid()}-{secrets.token_hex(4)}"


class SegmentFile:
    """A segment as its reader sees it.

    Args:
        path: The file.

    Raises:
        SegmentError: If it has no readable header.
        OSError: If it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        #: The byte up to which it was read; 0 is before the header.
        self.offset = 0
        self._file = open_own(path)
        line = self._file.read(4096)
        end = line.find(b"\n") + 1
        try:
            self.header = events.decode_header(line[:end])
        except msgspec.MsgspecError as error:
            self._file.close()
            raise SegmentError(f"The journal segment {path} has no readable header.") from error
        self.start = end
        self._finished = False
        forks.tell(self)

    @property
    def is_newer(self) -> bool:
        """Whether a newer version of this package wrote it."""
        return self.header.schema > events.SCHEMA

    @property
    def size(self) -> int:
        """Bytes of the file at this moment."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def is_deleted(self) -> bool:
        """Whether someone deleted it; what it holds can be read all the same."""
        return _is_deleted(self._file.fileno())

    def read(self, limit: int) -> tuple[bytes, int]:
        """Whole lines from ``offset`` on; the offset itself stays.

        Args:
            limit: Bytes to stop at; a longer line is read all the same.

        Returns:
            The lines, and the byte after them.
        """
        begin = max(self.offset, self.start)
        while True:
            data = os.pread(self._file.fileno(), limit, begin)
            whole = data.rfind(b"\n") + 1
            if whole or len(data) < limit:
                return data[:whole], begin + whole
            limit *= 2

    def rest(self) -> bytes:
        """All from ``offset`` on: behind the last whole line, what a torn write left."""
        return _read(self._file.fileno(), max(self.offset, self.start))

    def count_lines(self) -> int:
        """Lines from ``offset`` on, a torn one at the end among them."""
        here, lines = self.offset, 0
        try:
            while True:
                data, self.offset = self.read(1024 * 1024)
                if not data:
                    return lines + bool(self.rest())
                lines += data.count(b"\n")
        finally:
            self.offset = here

    def writer_is_dead(self) -> bool:
        """Whether nothing more will be written; if so, the segment is ours from here on."""
        if not self._finished:
            try:
                fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._finished = True
        return True

    def close(self) -> None:
        """Close the file, and with it the lock."""
        self._file.close()

    def after_fork(self) -> None:
        """Let go of the parent's reading, in the child."""
        self.close()

    def delete(self) -> bool:
        """Remove the segment; its reader is done with it.

        Returns:
            Whether it was there; what has its name else has taken its place.
        """
        is_there = not self.is_deleted
        if is_there:
            self.path.unlink(missing_ok=True)
        self.close()
        return is_there


def segments(directory: Path) -> list[Path]:
    """The segments in ``directory``, the oldest first."""
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == SUFFIX)
    except FileNotFoundError:
        return []


def sizes(directory: Path) -> dict[Path, int]:
    """The bytes of each segment in ``directory``, the oldest first."""
    found = {}
    for path in segments(directory):
        with contextlib.suppress(FileNotFoundError):  # read and deleted meanwhile
            found[path] = path.lstat().st_size
    return found


def delete_unborn(directory: Path) -> None:
    """Remove the segments whose writers died before they gave them a header."""
    for path in directory.glob("*" + UNBORN):
        with contextlib.suppress(FileNotFoundError, SegmentError, BlockingIOError):
            if time.time() - path.lstat().st_mtime > UNBORN_FOR:
                with open_own(path) as file:
                    fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()


def open_own(path: Path) -> io.FileIO:
    """Open a segment to read it.

    Raises:
        SegmentError: If it is a link, no file at all, or someone else's.
        OSError: If it can't be opened now.
    """
    try:
        # Without O_NONBLOCK a pipe of that name would be waited for.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise SegmentError(f"The journal segment {path} is a link.") from error
        if error.errno in (errno.EACCES, errno.ENXIO):  # not for us, or a socket
            raise SegmentError(f"The journal segment can't be opened: {error}.") from error
        raise
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
        return io.FileIO(fd)
    os.close(fd)
    raise SegmentError(f"The journal segment {path} is no file of user {os.geteuid()}.")
