"""Events that no database takes: what is stored in their place, and the file of them."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import msgspec

from z4j_django import logs
from z4j_django.agent import events
from z4j_django.agent.batching import Slice

logger = logs.logger("z4j_django.shipper")


def bared(alone: Slice) -> Slice:
    """An event without its texts, in the place of it."""
    bare = b"".join(events.encode(events.bared(event)) for event in events.decode(alone.data)[0])
    return msgspec.structs.replace(alone, data=bare)


def lost(alone: Slice, error: Exception) -> Slice:
    """The loss of an event, with what the database says, in the place of it."""
    detail = str(error).encode("ascii", "backslashreplace").decode()[:250]
    loss = events.encode(events.LossEvent(events.UNSTORABLE, 1, time.time(), detail))
    return msgspec.structs.replace(alone, data=loss)


def keep(path: Path, event: Slice, error: Exception, limit: int) -> None:
    """Keep an event and why it is there, where the disk has room; the log has the reason anyway.

    Args:
        path: The file.
        event: A slice of one event.
        error: What the database says.
        limit: Bytes past which the file grows no more.
    """
    logger.error("An event of %s can't be stored: %s", event.segment, error)
    record = {
        "segment": event.segment,
        "error": str(error)[:1000],
        "event": event.data.decode(errors="replace"),
    }
    try:
        _append(path, msgspec.json.encode(record) + b"\n", limit)
    except OSError as problem:
        logger.error("Nor could it be kept in %s: %s", path, problem)


def _append(path: Path, line: bytes, limit: int) -> None:
    """The whole of a line, or nothing."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    fd = os.open(path, flags, 0o600)
    try:
        size = os.fstat(fd).st_size
        if size < limit and os.write(fd, line) < len(line):
            os.ftruncate(fd, size)
            raise OSError(errno.ENOSPC, "no room for it")
    finally:
        os.close(fd)
