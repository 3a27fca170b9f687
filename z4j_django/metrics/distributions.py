"""How many took how long, by the bounds that metrics have, and tasks that are among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from z4j_django import histograms
from z4j_django.histograms import Histogram

#: Which of the bounds of our histograms are told: a quarter, the finest where most tasks are. As
#: they are bounds of ours, what is counted up to each is exact.
_TOLD: Final = (4, 8, *range(10, 34, 2), 36, 40, 44, 48)
BOUNDS: Final = tuple(histograms.BOUNDS[number] for number in _TOLD)
#: The same as texts, and the last, which has no end.
WORDS: Final = (*(f"{round(bound, 3)}" for bound in BOUNDS), "+Inf")
#: For each bucket of ours, in which one that is told it is.
_PLACE: Final = tuple(
    next((place for place, last in enumerate(_TOLD) if number <= last), len(_TOLD))
    for number in range(len(histograms.BOUNDS) + 1)
)
#: How long a run in a bucket took, about: the middle of its scale.
_ABOUT: Final = (
    histograms.BOUNDS[0] / 2,
    *(bound / 2**0.25 for bound in histograms.BOUNDS[1:]),
    histograms.BOUNDS[-1],
)


class Exemplar(NamedTuple):
    """A task that is one of those counted: its id, its length of time, and when that was."""

    task_id: str
    value: float
    at: float


@dataclass(frozen=True)
class Distribution:
    """How many took how long.

    Attributes:
        counts: How many up to each of :data:`BOUNDS`, and all.
        sum: Seconds of all together, about: each is taken for the middle of its bucket.
        exemplars: By the place of the bound.
    """

    counts: Sequence[int]
    sum: float
    exemplars: Mapping[int, Exemplar] = field(default_factory=dict)


def distribution(
    histogram: Histogram, exemplars: Mapping[int, Exemplar] | None = None
) -> Distribution:
    """A histogram of ours, by the bounds that are told.

    Args:
        histogram: It.
        exemplars: By the place of the bound that they are up to.
    """
    counts = [0] * len(WORDS)
    total = 0.0
    for bucket, count in histogram.items():
        counts[_PLACE[bucket]] += count
        total += _ABOUT[bucket] * count
    up_to = 0
    for place, count in enumerate(counts):
        up_to += count
        counts[place] = up_to
    return Distribution(counts, round(total, 6), exemplars or {})


def place_of(seconds: float) -> int:
    """The place of the bound up to which a length of time counts."""
    return _PLACE[histograms.bucket_of(seconds)]
