"""How far a chord's members were counted, in words.

The result backend counts them; or a task of Celery's asks for their results, where it can't count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from z4j_django.conditions.wording import short
from z4j_django.models import TaskRecord
from z4j_django.queries import chord_counters
from z4j_django.result_backend import Counter
from z4j_django.values import counted

#: That task, and how many of the newest are looked through.
_UNLOCK: Final = "celery.chord_unlock"
_UNLOCKS: Final = 200


@dataclass(frozen=True)
class Told:
    """What is known of one chord: a sentence, and the numbers in it."""

    words: str
    numbers: Mapping[str, float | str] = field(default_factory=dict)


def tell(project: str, sizes: Mapping[str, int]) -> dict[str, Told]:
    """How far the members of some chords were counted.

    Args:
        project: Whose.
        sizes: How many members each has, by its id.
    """
    unlocks = _unlocks(project)
    told = {key: _of_unlock(unlocks[key]) for key in sizes if key in unlocks}
    rest = {key: size for key, size in sizes.items() if key not in told}
    if not rest:
        return told
    backend = chord_counters.described()
    if backend["polls"]:
        words = f"{_UNLOCK} is to wait for the members; none of the newest on record does."
        return {**dict.fromkeys(rest, Told(words)), **told}
    try:
        counters = chord_counters.read(backend, rest)
    except chord_counters.UnreadableError as error:
        unknown = Told(f"What its result backend has counted is not known: {error}.")
        return {**dict.fromkeys(rest, unknown), **told}
    return {**{key: _of_counter(counters[key]) for key in rest}, **told}


def _unlocks(project: str) -> dict[str, TaskRecord]:
    newest = TaskRecord.objects.filter(name=_UNLOCK, project=project).order_by("-id")
    rows = newest.only("task_id", "args", "state", "retries")[:_UNLOCKS]
    return {str(row.args[0]): row for row in rows if isinstance(row.args, list) and row.args}


def _of_unlock(unlock: TaskRecord) -> Told:
    tries = counted(unlock.retries, "retry", "retries")
    return Told(
        f"{_UNLOCK} {short(unlock.task_id)}, which waits for the members, is {unlock.state} after "
        f"{tries}."
    )


def _of_counter(counter: Counter | None) -> Told:
    if counter is None:
        return Told(
            "The result backend has no counter of it (any more): that was lost or has expired, or "
            "whoever was to send the body ended meanwhile, or its send is not on record.",
            {"counter": "gone"},
        )
    if counter.is_done:
        return Told("By the result backend, the body was sent.", {"counter": "done"})
    numbers = {"counted": counter.counted}
    if counter.size is None:
        return Told(
            f"The result backend has counted {counter.counted} and does not know of how many: the "
            "number was lost there, or Celery failed to send the body.",
            {**numbers, "counter": "without a size"},
        )
    words = f"The result backend has counted {counter.counted} of {counter.size}"
    numbers["waited_for"] = counter.size
    if counter.counted < counter.size:
        left = counted(counter.size - counter.counted, "result")
        return Told(f"{words}: {left} did not come.", {**numbers, "counter": "short"})
    if counter.counted > counter.size:
        return Told(f"{words}: by more it sends nothing.", {**numbers, "counter": "too many"})
    if counter.is_claimed:
        what = "a worker is about to send the body, or ended over it"
        return Told(f"{words}: {what}.", {**numbers, "counter": "claimed"})
    return Told(
        f"{words}: whoever was to send the body ended over it.", {**numbers, "counter": "whole"}
    )
