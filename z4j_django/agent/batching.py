"""What goes into a batch: the oldest events of all segments, whole lines of each.

The events of one task lie in the segments of several processes. Those that come in one batch
are written as one row, and a row that was written is dear to write again. So the segments are
read at one pace: by the time of their events, and not by their bytes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

import msgspec

from z4j_django.agent import events, journal


class Slice(msgspec.Struct, frozen=True):
    """Whole lines of one segment: from byte ``begin`` to byte ``end``."""

    segment: str
    header: events.Header
    begin: int
    end: int
    data: bytes


def read(files: Iterable[journal.SegmentFile], limit: int, stride: int) -> list[Slice]:
    """Read on in the segments, the oldest events first.

    Args:
        files: The segments; the offset of each moves to the end of what was read of it.
        limit: Bytes to stop at, about.
        stride: Bytes of one segment that are read before the times are compared again.

    Returns:
        A slice of each segment in which there was something to read.
    """
    waiting = list(files)
    begins = [file.offset for file in waiting]
    pieces: list[list[bytes]] = [[] for _ in waiting]
    fronts = [
        (at, index) for index, file in enumerate(waiting) if (at := first_time(file)) is not None
    ]
    heapq.heapify(fronts)
    while fronts and limit > 0:
        _, index = heapq.heappop(fronts)
        data, waiting[index].offset = waiting[index].read(min(stride, limit))
        if data:
            limit -= len(data)
            pieces[index].append(data)
            last = data[data.rfind(b"\n", 0, -1) + 1 :]
            heapq.heappush(fronts, (_time_of(last), index))
    return [
        Slice(file.name, file.header, begin, file.offset, b"".join(read))
        for file, begin, read in zip(waiting, begins, pieces, strict=True)
        if read
    ]


def first_time(file: journal.SegmentFile) -> float | None:
    """The time of the first event that is not read yet, in seconds since the epoch."""
    data = file.read(4096)[0]
    return time_of(data) if data else None


def time_of(data: bytes) -> float:
    """The time of the first event in ``data``."""
    return _time_of(data.partition(b"\n")[0])


def halves(batch: Sequence[Slice]) -> tuple[Sequence[Slice], Sequence[Slice]] | None:
    """A batch in two, or ``None`` where it is one event."""
    if len(batch) > 1:
        middle = len(batch) // 2
        return batch[:middle], batch[middle:]
    [part] = batch
    lines = part.data.splitlines(keepends=True)
    if len(lines) < 2:
        return None
    data = b"".join(lines[len(lines) // 2 :])
    middle = part.end - len(data)
    first = msgspec.structs.replace(part, end=middle, data=part.data[: -len(data)])
    return [first], [msgspec.structs.replace(part, begin=middle, data=data)]


def _time_of(line: bytes) -> float:
    found, _ = events.decode(line)
    return found[0].at if found else 0.0
