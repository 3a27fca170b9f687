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
import time
import weakref
from pathlib import Path
from typing import Final, Protocol

import msgspec

from z4j_django.agent import events
from z4j_django.exceptions import JournalError, SegmentError

SUFFIX: Final = ".journal"
#: A segment that has no header yet; never read.
UNBORN: Final = ".unborn"
#: Bytes after which a segment is closed and the next one begins.
ROLL_AT: Final = 4 * 1024 * 1024
#: Seconds after which a segment without a header is litter, if nobody holds it.
UNBORN_FOR: Final = 60.0
#: Seconds after which a segment that the disk did not take is tried again.
BIRTH_EVERY: Final = 0.5
#: Seconds between two looks whether the segment's file is still there.
CHECK_EVERY: Final = 5.0


class ForkAware(Protocol):
    """What must not be used in a forked child as it was in the parent."""

    def after_fork(self) -> None:
        """Let go of what is the parent's, in the child."""


class _Segment:
    """An open segment. Its file closes when the last thread that writes to it lets go.

    So a thread that was about to write never meets a number that means another file by now.
    """

    __slots__ = ("__weakref__", "checked", "fd", "size", "torn")

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size
        self.torn = False
        self.checked = time.monotonic()

    def __del__(self) -> None:
        os.close(self.fd)


class TornError(OSError):
    """The disk took a part of a line: its reader finds that, and tells of it as one loss."""


class Journal:
    """Writes this process's events. Threads need no lock: each event is one ``write()``.

    Args:
        directory: Where the segments lie; made when the first event comes.
        project: Name of the project, for the segments' headers.
    """

    def __init__(self, directory: Path, project: str) -> None:
        self.directory = directory
        self.project = project
        self._segment: _Segment | None = None
        #: Why the last segment could not begin, and when the next may be tried.
        self._stillborn: tuple[int | None, str | None] | None = None
        self._next_birth = 0.0
        tell_at_fork(self)

    def write(self, line: bytes) -> None:
        """Append one whole line.

        Raises:
            TornError: If the disk took a part of it.
            OSError: If the disk took nothing of it.
            JournalError: If the directory is not private to this user.
        """
        segment = self._segment
        if segment is None or (
            time.monotonic() - segment.checked >= CHECK_EVERY and self._is_gone(segment)
        ):
            segment = self._segment = self._open()
        mend = b"\n" if segment.torn else b""
        written = os.write(segment.fd, mend + line)
        segment.size += written
        written -= len(mend)
        segment.torn = written != 0 and written < len(line)
        if written < len(line) - 1:  # what lacks its newline alone is whole: that comes later
            raise (TornError if written > 0 else OSError)(errno.ENOSPC, "no room for an event")
        if segment.size >= ROLL_AT and self._segment is segment:
            self._segment = None

    def close(self) -> None:
        """End the segment; the next event begins another."""
        self._segment = None

    def after_fork(self) -> None:
        """Let go of the parent's segment, in the child."""
        self._segment = None

    def _is_gone(self, segment: _Segment) -> bool:
        """Whether someone deleted the file: a cleaner of temporary files, for instance."""
        segment.checked = time.monotonic()
        return os.fstat(segment.fd).st_nlink == 0

    def _open(self) -> _Segment:
        """Begin a segment; on a full disk only now and then, since each try makes a file."""
        if self._stillborn is not None and time.monotonic() < self._next_birth:
            raise OSError(*self._stillborn)
        make_private(self.directory)
        try:
            segment = self._bear(self.directory / (new_name() + UNBORN))
        except OSError as error:
            self._stillborn = error.errno, error.strerror
            self._next_birth = time.monotonic() + BIRTH_EVERY
            raise
        self._stillborn = None
        return segment

    def _bear(self, unborn: Path) -> _Segment:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        segment = _Segment(os.open(unborn, flags, 0o600), 0)
        try:
            fcntl.flock(segment.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            header = events.Header(
                schema=events.SCHEMA,
                project=self.project,
                host=socket.gethostname(),
                pid=os.getpid(),
            )
            line = events.encode(header)
            segment.size = os.write(segment.fd, line)
            if segment.size != len(line):
                raise OSError(errno.ENOSPC, "no room for a segment's header")
            unborn.rename(unborn.with_suffix(SUFFIX))
        except BaseException:
            unborn.unlink(missing_ok=True)
            raise
        return segment


def new_name() -> str:
    """A segment's: no other has it, and those that come later sort behind it."""
    return f"{time.time_ns():019d}-{os.getpid()}-{secrets.token_hex(4)}"


def make_private(directory: Path) -> None:
    """Make ``directory``, and see to it that nobody else can read or plant anything in it.

    Raises:
        JournalError: If it is a link, another user's, or open to others.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise JournalError(f"The journal directory {directory} is not a directory; move it away.")
    if found.st_uid != os.geteuid():
        raise JournalError(
            f"The journal directory {directory} belongs to user {found.st_uid}, not to "
            f"{os.geteuid()}; set Z4J['JOURNAL_DIR'] to a directory of your own."
        )
    if found.st_mode & 0o077:
        raise JournalError(
            f"The journal directory {directory} is open to other users "
            f"({stat.S_IMODE(found.st_mode):o}); run: chmod 700 {directory}"
        )


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
        self._file = _open_own(path)
        line = self._file.read(4096)
        end = line.find(b"\n") + 1
        try:
            self.header = events.decode_header(line[:end])
        except msgspec.MsgspecError as error:
            self._file.close()
            raise SegmentError(f"The journal segment {path} has no readable header.") from error
        self.start = end
        self._finished = False
        tell_at_fork(self)

    @property
    def is_newer(self) -> bool:
        """Whether a newer version of this package wrote it."""
        return self.header.schema > events.SCHEMA

    @property
    def size(self) -> int:
        """Bytes of the file at this moment."""
        return os.fstat(self._file.fileno()).st_size

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
        begin = max(self.offset, self.start)
        return os.pread(self._file.fileno(), max(self.size - begin, 0), begin)

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

    def delete(self) -> None:
        """Remove the segment; its reader is done with it."""
        self.path.unlink(missing_ok=True)
        self.close()


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
            found[path] = path.stat().st_size
    return found


def delete_unborn(directory: Path) -> None:
    """Remove the segments whose writers died before they gave them a header."""
    for path in directory.glob("*" + UNBORN):
        with contextlib.suppress(FileNotFoundError, SegmentError, BlockingIOError):
            if time.time() - path.stat().st_mtime > UNBORN_FOR:
                with _open_own(path) as file:
                    fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()


def _open_own(path: Path) -> io.FileIO:
    """Open a segment, unless it is a link, no file at all, or someone else's."""
    try:
        # Without O_NONBLOCK a pipe of that name would be waited for.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        file = io.FileIO(os.open(path, flags))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise SegmentError(f"The journal segment {path} is a link.") from error
        raise
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
        return file
    file.close()
    raise SegmentError(f"The journal segment {path} is no file of user {os.geteuid()}.")


_AT_FORK: weakref.WeakSet[ForkAware] = weakref.WeakSet()


def tell_at_fork(holder: ForkAware) -> None:
    """Have ``holder`` told in each child that this process forks."""
    _AT_FORK.add(holder)


def after_fork() -> None:
    """Let go of all that is the parent's, in the child; Python's own forks call this themselves."""
    for holder in list(_AT_FORK):
        with contextlib.suppress(OSError):
            holder.after_fork()


os.register_at_fork(after_in_child=after_fork)
