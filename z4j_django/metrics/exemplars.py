"""Tasks to look at beside a metric: of each of its lines the newest, among the newest on record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from z4j_django import states
from z4j_django.metrics.distributions import Exemplar, place_of
from z4j_django.queries.tasks import Ended

#: Characters of an id: OpenMetrics lets an exemplar have 128 in all.
_LONGEST: Final = 100

#: Name and queue.
Pair: TypeAlias = tuple[str, str]
#: By the place of the bound that they are up to.
Places: TypeAlias = dict[int, Exemplar]


@dataclass
class Exemplars:
    """What there is to look at, by name and queue.

    Attributes:
        runs: By the place of the bound up to which they ran.
        waits: And up to which they waited.
        failed: Those that failed.
    """

    runs: Mapping[Pair, Places] = field(default_factory=lambda: defaultdict(dict))
    waits: Mapping[Pair, Places] = field(default_factory=lambda: defaultdict(dict))
    failed: dict[Pair, Exemplar] = field(default_factory=dict)


def of(ended: Iterable[Ended]) -> Exemplars:
    """Those of tasks that came to an end, the newest first."""
    found = Exemplars()
    for one in ended:
        if len(one.task_id) > _LONGEST:
            continue
        pair, at = (one.name, one.queue), round(one.finished_at.timestamp(), 3)
        if one.runtime is not None:
            run = Exemplar(one.task_id, one.runtime, at)
            found.runs[pair].setdefault(place_of(one.runtime), run)
        due = max((moment for moment in (one.sent_at, one.eta) if moment), default=None)
        if due is not None and one.started_at is not None:
            waited = max((one.started_at - due).total_seconds(), 0.0)
            wait = Exemplar(one.task_id, waited, round(one.started_at.timestamp(), 3))
            found.waits[pair].setdefault(place_of(waited), wait)
        if one.state == states.FAILURE:
            found.failed.setdefault(pair, Exemplar(one.task_id, 1.0, at))
    return found
