"""Losses that no segment tells of: each is a file without content, whose name says it.

A full disk takes no bytes, but names still; and a rename is whole or not at all, whenever its
process is killed. The name is also that of a segment of one byte: so its cursor sees to it that it
is told once.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from z4j_django.agent import events, journal, private
from z4j_django.agent.batching import Slice

SUFFIX: Final = ".lost"
#: Of a loss that may grow yet; its shipper takes it by giving it the other name.
GROWING: Final = ".losing"
#: What a loss was told of has, for whoever still holds it.
_TOLD: Final = 0o400
#: Before a count that may be too high.
_AT_MOST: Final = "max-"
#: Bytes of a project's name, quoted, that a file's name has room for.
_PROJECT: Final = 120


class Loss(msgspec.Struct, frozen=True):
    """So many events are lost."""

    #: A segment's name, which no other loss has.
    name: str
    count: int
    #: As in :class:`events.LossEvent`.
    reason: str
    project: str
    #: Whether it may be fewer: what was stored of a segment could not be asked.
    at_most: bool = False

    def path(self, directory: Path, suffix: str = SUFFIX) -> Path:
        """The file that says it."""
        project = quote(self.project, safe="")[:_PROJECT]
        count = _AT_MOST * self.at_most + str(self.count)
        words = (self.name, count, quote(self.reason), project)
        return directory / (".".join(words) + suffix)


class Tally:
    """Counts what one process could not write, where the count outlives the process.

    Args:
        directory: The journal.
        project: Name of the project.
    """

    def __init__(self, directory: Path, project: str) -> None:
        self.directory = directory
        self.project = project
        self._kept: tuple[Loss, io.FileIO] | None = None

    def add(self, count: int) -> None:
        """Count so many more, and see that those before are still there.

        Raises:
            OSError: If the disk does not even take a name.
            JournalError: If the directory is not private to this user.
        """
        if self._kept is not None:
            loss, file = self._kept
            grown = msgspec.structs.replace(loss, count=loss.count + count)
            with contextlib.suppress(FileNotFoundError):  # it was taken, or deleted
                os.rename(loss.path(self.directory, GROWING), grown.path(self.directory, GROWING))
                self._kept = grown, file
                return
            found = os.fstat(file.fileno())
            if found.st_nlink == 0 and stat.S_IMODE(found.st_mode) != _TOLD:
                count = grown.count
        if count:
            self._begin(Loss(journal.new_name(), count, events.UNWRITTEN, self.project))

    def _begin(self, loss: Loss) -> None:
        private.make(self.directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(loss.path(self.directory, GROWING), flags, 0o600)
        self._kept = loss, io.FileIO(fd, "w")


def drop(segment: Path, loss: Loss) -> None:
    """Give a segment up: from one moment on it is a loss, and takes no room."""
    path = loss.path(segment.parent)
    segment.rename(path)
    os.truncate(path, 0)


def take(directory: Path, limit: int) -> dict[Path, Slice]:
    """The losses in ``directory`` that wait to be told, ``limit`` of them at most.

    They grow no more: a process that loses events after this begins another.
    """
    for path in directory.glob("*" + GROWING):
        with contextlib.suppress(FileNotFoundError):  # it has another name by now
            path.rename(path.with_suffix(SUFFIX))
    slices = {}
    for path in sorted(directory.glob("*" + SUFFIX))[:limit]:
        with contextlib.suppress(ValueError, FileNotFoundError):
            if stat.S_ISREG(path.lstat().st_mode):
                slices[path] = _slice(path)
    return slices


def delete(path: Path) -> None:
    """Delete a loss that is told."""
    with contextlib.suppress(FileNotFoundError):
        path.chmod(_TOLD, follow_symlinks=False)
        path.unlink()


def _slice(path: Path) -> Slice:
    name, count, reason, project = path.name.removesuffix(SUFFIX).split(".", 3)
    header = events.Header(events.SCHEMA, unquote(project), socket.gethostname(), 0)
    exact = count.removeprefix(_AT_MOST)
    detail = name if exact == count else f"at most, as the store could not be asked: {name}"
    loss = events.LossEvent(unquote(reason), int(exact), path.lstat().st_mtime, detail)
    return Slice(name + SUFFIX, header, 0, 1, events.encode(loss))
