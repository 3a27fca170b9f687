"""What the failures of an error have in common, against successes of the same task.

A sample of both: the newest failures, and successes from all of the time in which these failed, so
that an hour or a release counts for as much in both. Looked at are the queue, the worker, the
release, the hour, and arguments that are plain values and not masked.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple

from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from z4j_django import states
from z4j_django.models import ErrorGroup, TaskRecord
from z4j_django.queries import index_ranges, releases
from z4j_django.queries.cursors import Key, Order
from z4j_django.queries.index_ranges import IndexRange, Statement
from z4j_django.secrets import placeholders
from z4j_django.values import clean

#: Tasks of each kind that are looked at, at most.
SAMPLE: Final = 1_000
#: From how many parts of the time in which tasks failed successes are taken; and how many rows are
#: looked at for one.
_PARTS: Final = 10
_LOOK: Final = 5
#: Facts that are told, at most.
TOLD: Final = 5
#: Fewer tasks of a kind say nothing.
FEWEST: Final = 5
#: By how much the shares have to differ, and how many standard errors that has to be.
_DIFFERENCE: Final = 0.15
_ERRORS: Final = 3.0
#: Arguments of one task that are looked at, and characters of a name and of a value.
_ARGUMENTS: Final = 50
_NAME: Final = 60
_VALUE: Final = 100

_Fact = tuple[str, str]


class _Task(NamedTuple):
    """What of a record is looked at; of two thousand, records take Django twice as long."""

    id: int
    project: str
    queue: str
    worker: str
    release: int
    at: datetime | None
    args: Any
    kwargs: Any


#: When a task began, as far as is known.
_AT: Final = Coalesce("started_at", "received_at", "sent_at")


@dataclass(frozen=True)
class Fact:
    """What holds of many of the failures, and of few of the successes.

    Attributes:
        name: ``queue``, ``worker``, ``release``, ``hour``, ``args[0]``, ``kwargs.tenant``.
        value: What it is.
        failures: The share of the failures of which it holds, from 0 to 1.
        successes: That of the successes.
    """

    name: str
    value: str
    failures: float
    successes: float

    def __str__(self) -> str:
        return (
            f"{self.name} = {self.value}: {self.failures:.0%} of failures, "
            f"{self.successes:.0%} of successes"
        )


@dataclass(frozen=True)
class Comparison:
    """The facts that tell failures from successes.

    Attributes:
        facts: That whose shares differ most comes first.
        failures: How many of these were looked at.
        successes: How many of those.
    """

    facts: list[Fact]
    failures: int
    successes: int


def of(error: ErrorGroup, sample: int = SAMPLE) -> Comparison:
    """What the failures of an error have in common, in four queries at most.

    Args:
        error: Which.
        sample: Tasks of each kind that are looked at, at most.
    """
    failed = _failures(error, sample)
    succeeded: list[_Task] = []
    if len(failed) >= FEWEST:
        succeeded = _successes(error, (failed[-1].id, failed[0].id), sample)
    facts = _facts(failed, succeeded) if len(succeeded) >= FEWEST else []
    return Comparison(facts, len(failed), len(succeeded))


def _failures(error: ErrorGroup, sample: int) -> list[_Task]:
    own = IndexRange(column="error", value=error.fingerprint)
    rows = index_ranges.rows(TaskRecord.objects.all(), own, Order(), None)
    return [row for row in _read(rows[:sample]) if row.project == error.project]


def _read(rows: QuerySet[TaskRecord]) -> list[_Task]:
    columns = ("id", "project", "queue", "worker", "release", _AT, "args", "kwargs")
    return [_Task(*row) for row in rows.values_list(*columns)]


def _successes(error: ErrorGroup, span: tuple[int, int], sample: int) -> list[_Task]:
    """Successes of the same task from all parts of a span of rows, and then from before it."""
    first, last = span
    size = max(sample // _PARTS, 1)
    ends = [last + 1 - (last + 1 - first) * part // _PARTS for part in range(_PARTS + 1)]
    found = _first(error, [_part(error, *part, size) for part in pairwise(ends)], sample)
    if len(found) < sample // 2:
        found += _first(error, [_part(error, first, 0, sample // 2)], sample // 2)
    return found


def _first(error: ErrorGroup, parts: Iterable[Statement | None], limit: int) -> list[_Task]:
    return _read(index_ranges.first(TaskRecord.objects.all(), parts, Order(), limit))


def _part(error: ErrorGroup, begin: int, end: int, size: int) -> Statement | None:
    """The statement that finds some successes below a row, and not below another."""
    own = IndexRange(column="name", value=error.name) if error.name else IndexRange()
    walk = index_ranges.rows(TaskRecord.objects.all(), own, Order(), Key(begin))
    # The limit is a fence: it reads no more, however few of them have succeeded.
    window = index_ranges.compiled(walk.values("id", "project", "state")[: size * _LOOK])
    if window is None:
        return None
    sql, values = window
    return (
        f"SELECT id FROM ({sql}) looked_at WHERE project = %s AND state = %s AND id >= %s "  # noqa: S608 - compiled by Django
        f"ORDER BY id DESC LIMIT {size:d}",
        [*values, error.project, states.SUCCESS, end],
    )


def _facts(failed: Sequence[_Task], succeeded: Sequence[_Task]) -> list[Fact]:
    """Those that stand out; of one name no more than its first value."""
    known_releases = releases.names_of(one.release for one in (*failed, *succeeded))
    failures, successes = (_count(rows, known_releases) for rows in (failed, succeeded))
    found: dict[str, Fact] = {}
    for (name, value), count in failures.items():
        share, others = count / len(failed), successes[name, value] / len(succeeded)
        known = found.get(name)
        if known is not None and known.failures - known.successes >= share - others:
            continue
        if _stands_out(share, others, len(failed), len(succeeded)):
            found[name] = Fact(name, value, share, others)
    ranked = sorted(
        found.values(), key=lambda one: (one.successes - one.failures, one.name, one.value)
    )
    return ranked[:TOLD]


def _stands_out(share: float, others: float, failed: int, succeeded: int) -> bool:
    """Whether a difference is large, and larger than chance would make it."""
    difference = share - others
    both = (share * failed + others * succeeded) / (failed + succeeded)
    error = math.sqrt(both * (1 - both) * (1 / failed + 1 / succeeded))
    return difference >= _DIFFERENCE and difference > _ERRORS * error


def _count(rows: Sequence[_Task], known: Mapping[int | None, str]) -> Counter[_Fact]:
    found: Counter[_Fact] = Counter()
    for row in rows:
        found.update(set(_of_task(row, known[row.release])))
    return found


def _of_task(row: _Task, release: str) -> Iterator[_Fact]:
    for name, value in (("queue", row.queue), ("worker", row.worker)):
        if value:
            yield name, _shown(value) or value[:_VALUE]
    if release:
        yield "release", release
    if row.at is not None:
        at = timezone.localtime(row.at) if timezone.is_aware(row.at) else row.at
        yield "hour", f"{at.hour:02d}"
    if isinstance(row.args, list) and not placeholders.is_chosen(row.args):
        for place, value in enumerate(row.args[:_ARGUMENTS]):
            if (shown := _shown(value)) is not None:
                yield f"args[{place}]", shown
    if isinstance(row.kwargs, Mapping) and not placeholders.is_chosen(row.kwargs):
        for key in list(row.kwargs)[:_ARGUMENTS]:
            shown = _shown(row.kwargs[key])
            if shown is not None and len(key) <= _NAME and not placeholders.place_of(key):
                yield f"kwargs.{clean(key)}", shown


def _shown(value: Any) -> str | None:
    """A plain value in a few words; none of one that is masked, cut, long or made of others."""
    if isinstance(value, str):
        is_whole = len(value) <= _VALUE and not placeholders.place_of(value)
        return (value or '""') if is_whole else None
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return None
