"""Histograms of lengths of time, in buckets that grow by √2 from a millisecond on. Pure.

The bounds are fixed, so histograms of any times, tasks and hosts add up exactly. A bucket without
a count is left out. What is read from them is approximate, by √2 at the most.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

#: How many there are in each bucket, by its number.
Histogram: TypeAlias = dict[int, int]

#: The greatest length in each bucket, in seconds; what is longer, than two years, is in one more.
BOUNDS: Final = tuple(0.001 * 2 ** (number / 2) for number in range(73))

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Histogram).decode


def bucket_of(seconds: float) -> int:
    """The number of the bucket; what a clock that is off makes negative is in the first."""
    return bisect_left(BOUNDS, seconds)


def add(histogram: Histogram, other: Histogram) -> None:
    """Add the counts of another histogram."""
    for bucket, count in other.items():
        histogram[bucket] = histogram.get(bucket, 0) + count


def total(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of several histograms."""
    found: Histogram = {}
    for one in histograms:
        add(found, one)
    return found


def percentile(histogram: Histogram, share: float) -> float | None:
    """The length that ``share`` of all do not exceed, in seconds, about; ``None`` where none are.

    Within a bucket they are taken to be spread evenly on its scale.

    Args:
        histogram: The counts.
        share: Between 0 and 1.
    """
    wanted = share * sum(histogram.values())
    for bucket, count in sorted(histogram.items()):
        if count and wanted <= count:
            last = min(bucket, len(BOUNDS) - 1)
            part = wanted / count
            return BOUNDS[0] * part if last == 0 else BOUNDS[last] * 2 ** ((part - 1) / 2)
        wanted -= count
    return None


def packed(histogram: Histogram) -> bytes:
    """As a column holds it: the same bytes for the same counts, none for none."""
    return _encode(dict(sorted(histogram.items()))) if histogram else b""


def unpacked(column: bytes) -> Histogram:
    """What ``packed`` made a column of."""
    return _decode(column) if column else {}
