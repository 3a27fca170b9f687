"""What has happened since the records began: numbers that only grow, whatever is deleted.

A name keeps its place among those that are told one by one: which they are is said by when each
was first counted with its queue, and by nothing that changes. All is read where it is written:
by a replica that is behind, a number would fall.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Coalesce

from z4j_django import histograms
from z4j_django.counters import COUNTERS, EVER, LOSSES, NAMES
from z4j_django.histograms import Histogram
from z4j_django.models import JournalLoss, Statistic
from z4j_django.models.primary import primary
from z4j_django.values import OTHER

_SUMS: Final = {f"sum_{name}": Coalesce(Sum(name), 0) for name in COUNTERS}


class Total(NamedTuple):
    """What has happened to the tasks of one name from one queue.

    Attributes:
        name: Theirs.
        queue: Theirs.
        counts: By the names of ``counters.COUNTERS``.
        runs: How long they ran.
        waits: How long they waited after they were sent, or due.
    """

    name: str
    queue: str
    counts: Mapping[str, int]
    runs: Histogram
    waits: Histogram


def totals(project: str, limit: int) -> list[Total]:
    """Those that were counted first, and what happened to all others together.

    Args:
        project: Whose.
        limit: How many names with their queues are told one by one.
    """
    mine = primary(Statistic).filter(project=project, step=EVER, scope=NAMES)
    # The key itself would tempt a database to walk along it, through the statistics of all times.
    mine = mine.annotate(place=F("pk") + 0).order_by("place")
    first = mine.values_list("place", "name", "queue", *COUNTERS, "runs", "waits")
    rows = list(first[:limit])
    found = []
    for _, name, queue, *counts, runs, waits in rows:
        of_name = dict(zip(COUNTERS, counts, strict=True))
        lengths = (histograms.unpacked(bytes(column)) for column in (runs, waits))
        found.append(Total(name, queue, of_name, *lengths))
    if len(rows) == limit:
        _add_others(found, mine.filter(place__gt=rows[-1][0]))
    return found


def _add_others(found: list[Total], others: QuerySet[Statistic]) -> None:
    """Add what happened to all others; how long it took is not told of them."""
    sums = others.order_by().aggregate(**_SUMS)
    counts = {name: int(sums[f"sum_{name}"]) for name in COUNTERS}
    for place, one in enumerate(found):
        if (one.name, one.queue) == (OTHER, OTHER):
            together = {name: count + counts[name] for name, count in one.counts.items()}
            found[place] = one._replace(counts=together)
            return
    if any(counts.values()):
        found.append(Total(OTHER, OTHER, counts, {}, {}))


def lost(project: str) -> Mapping[str, int]:
    """How many events were lost, by reason: those on the list, and those that have left it.

    Retention moves them from one to the other, so they are asked for in one statement.
    """
    gone = primary(Statistic).filter(project=project, step=EVER, scope=LOSSES)
    listed = primary(JournalLoss).filter(project=project).order_by().values_list("reason")
    both = gone.values_list("name", F("failed")).union(
        listed.annotate(total=Sum("count")), all=True
    )
    found: dict[str, int] = {}
    for reason, count in both:
        found[reason] = found.get(reason, 0) + int(count)
    return found
