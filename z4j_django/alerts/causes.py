"""What explains what: a dead worker its queues, a stopped beat its schedules. Pure.

A queue that nobody consumes, because its worker is gone, is no second problem. Each line of
:data:`CAUSES` says so of two conditions, and which subjects of the one explain a subject of the
other; data on record tell that, such as a worker's queues.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple


class Place(NamedTuple):
    """Which problem: the condition's key, and of what it is said."""

    key: str
    subject: str


@dataclass(frozen=True)
class Facts:
    """What is on record besides.

    Attributes:
        takers: The workers that take from each queue, or did when they were last heard of.
        journals: The journals of each host.
    """

    takers: Mapping[str, Collection[str]] = field(default_factory=dict)
    journals: Mapping[str, Collection[str]] = field(default_factory=dict)


_Explain = Callable[[str, Facts], Iterable[str]]


def _project(subject: str, facts: Facts) -> Iterable[str]:
    return ("",)


def _same(subject: str, facts: Facts) -> Iterable[str]:
    return (subject,)


def _takers(queue: str, facts: Facts) -> Iterable[str]:
    return facts.takers.get(queue, ())


def _journals(worker: str, facts: Facts) -> Iterable[str]:
    return facts.journals.get(worker.rpartition("@")[2], ())


@dataclass(frozen=True)
class Cause:
    """That one condition explains others.

    Attributes:
        key: The one.
        explains: The others.
        subjects: Of what the one has to hold, to explain a subject of the others.
    """

    key: str
    explains: Collection[str]
    subjects: _Explain


_QUEUES: Final = (
    "queue_without_consumer",
    "queue_backing_up",
    "expired_in_bulk",
    "paused_queue_consumed",
)
_ABSENT: Final = ("worker_gone", "worker_silent")

#: What explains the most comes last: of two causes the first counts, and has its own in turn.
CAUSES: Final = (
    # One that is silent for long is gone; both hold for a moment.
    Cause("worker_gone", ("worker_silent", "possibly_lost"), _same),
    Cause("worker_silent", ("possibly_lost",), _same),
    *(
        Cause(key, _QUEUES, _takers)
        for key in ("worker_gone", "worker_silent", "worker_not_consuming", "slots_held")
    ),
    Cause("task_running_long", ("delivered_n_times",), _same),
    Cause("regressed_error", ("new_error",), _same),
    Cause("beat_stopped", ("schedule_overdue",), _project),
    Cause("journal_stopped", ("journal_behind", "journal_disk"), _same),
    Cause("journal_behind", ("journal_disk",), _same),
    # Whose journal nobody ships, of that nobody hears.
    Cause("journal_stopped", _ABSENT, _journals),
    Cause("no_workers", (*_ABSENT, *_QUEUES, "possibly_lost"), _project),
)


#: What becomes of what, after a while: whoever was told of the one was told of the other.
_LATER: Final = {"worker_silent": "worker_gone"}


def becomes(earlier: Place, later: Place) -> bool:
    """Whether one problem is another, some time later."""
    return _LATER.get(earlier.key) == later.key and earlier.subject == later.subject


class Family:
    """Which of the problems that hold explains which.

    Args:
        holding: All that hold.
        facts: What is on record besides.
    """

    def __init__(self, holding: Iterable[Place], facts: Facts) -> None:
        self._holding = frozenset(holding)
        self._facts = facts
        self._above: dict[Place, tuple[Place, ...]] = {}

    def above(self, place: Place) -> tuple[Place, ...]:
        """What explains a problem, the nearest first and the root cause last."""
        if place not in self._above:
            found: list[Place] = []
            cause = self._cause(place)
            while cause is not None and cause not in (place, *found):
                found.append(cause)
                cause = self._cause(cause)
            self._above[place] = tuple(found)
        return self._above[place]

    def root(self, place: Place) -> Place:
        """What explains it in the end; itself, where nothing does."""
        above = self.above(place)
        return above[-1] if above else place

    def _cause(self, place: Place) -> Place | None:
        for one in CAUSES:
            if place.key in one.explains:
                for subject in one.subjects(place.subject, self._facts):
                    if (found := Place(one.key, subject)) in self._holding and found != place:
                        return found
        return None
