"""The right to ship a journal, which one process of a host has."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final

from z4j_django.agent import forks, private

#: Bytes of a process's number in the lock file: as many each time, so that a full disk has them.
_WIDTH: Final = 20


class Lease:
    """A lock on a file that at most one process of this host holds.

    Args:
        path: The lock file; its directory must exist when the lease is tried.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None
        forks.tell(self)

    @property
    def held(self) -> bool:
        """Whether this process holds it."""
        return self._fd is not None

    def acquire(self) -> bool:
        """Take it if it is free; never waits."""
        if self._fd is not None:
            return True
        fd = self._try(fcntl.LOCK_EX)
        if fd is None:
            return False
        self._fd = fd
        self._write_pid(fd)
        return True

    def is_free(self) -> bool:
        """Whether nobody holds it at this moment."""
        if self._fd is not None:
            return False
        fd = self._try(fcntl.LOCK_SH)
        if fd is not None:
            os.close(fd)
        return fd is not None

    @property
    def is_deleted(self) -> bool:
        """Whether it is held, and means nothing: another process takes that of the same name."""
        return self._fd is not None and os.fstat(self._fd).st_nlink == 0

    def release(self) -> None:
        """Give it back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def after_fork(self) -> None:
        """Let go of the parent's lock, in the child."""
        self.release()

    def _write_pid(self, fd: int) -> None:
        """Say who holds it, if the disk has room; the lock is what counts."""
        with contextlib.suppress(OSError):
            written = os.pwrite(fd, f"{os.getpid()}".ljust(_WIDTH - 1).encode() + b"\n", 0)
            if written == _WIDTH:
                return
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)  # rather nobody than the one before

    def _try(self, mode: int) -> int | None:
        private.make(self.path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(fd, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd
