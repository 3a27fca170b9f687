"""Losses that no segment tells of: each is a file without content, whose name says it.

A full disk takes no bytes, but names still; and a rename is whole or not at all, whenever its
process is killed. The name is also that of a segment of one byte: so its cursor sees to it that it
is told once.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from z4j_django.agent import events
from z4j_django.agent.batching import Slice

SUFFIX: Final = ".lost"
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

    def path(self, directory: Path) -> Path:
        """The file that says it."""
        project = quote(self.project, safe="")[:_PROJECT]
        words = (self.name, str(self.count), quote(self.reason), project)
        return directory / (".".join(words) + SUFFIX)


def drop(segment: Path, loss: Loss) -> None:
    """Give a segment up: from one moment on it is a loss, and takes no room."""
    path = loss.path(segment.parent)
    segment.rename(path)
    os.truncate(path, 0)


def found(directory: Path, limit: int) -> dict[Path, Slice]:
    """The losses in ``directory`` that wait to be told, ``limit`` of them at most."""
    slices = {}
    for path in sorted(directory.glob("*" + SUFFIX))[:limit]:
        with contextlib.suppress(ValueError, FileNotFoundError):
            slices[path] = _slice(path)
    return slices


def _slice(path: Path) -> Slice:
    name, count, reason, project = path.name.removesuffix(SUFFIX).split(".", 3)
    header = events.Header(events.SCHEMA, unquote(project), socket.gethostname(), 0)
    loss = events.LossEvent(unquote(reason), int(count), path.lstat().st_mtime, name)
    return Slice(name + SUFFIX, header, 0, 1, events.encode(loss))
