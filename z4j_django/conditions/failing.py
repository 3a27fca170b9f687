"""Task types of which far more runs fail than of late at these hours.

A share of few runs says little. So what is compared is the least share that so many failures of
so many runs leave likely (Wilson's score interval).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from django.conf import settings
from django.db.models import Min, QuerySet, Sum
from msgspec import Meta

from z4j_django import counters
from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.models import Statistic
from z4j_django.options import option
from z4j_django.queries import usual
from z4j_django.queries.usual import Ended
from z4j_django.values import duration

#: Standard deviations: of a hundred shares that are no higher than usual, one looks as if.
_DEVIATIONS: Final = 2.58
#: Runs of the past without which there is none.
_PAST: Final = 20


class Failing(Thresholds, frozen=True, kw_only=True):
    """Of the runs of one task type."""

    failures: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)],
        option("Failures without which it is not told, however few runs there were."),
    ] = 5
    share: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        option("The share of failures that no task type is told for."),
    ] = 0.01
    times: Annotated[
        Annotated[float, Meta(ge=1, le=1000)],
        option("So many times its share at the same hours of the last seven days."),
    ] = 2.0


@dataclass(frozen=True)
class _Window:
    """What counts as now: of names with few runs, a longer time."""

    length: timedelta
    step: int


_WINDOWS: Final = (
    _Window(timedelta(minutes=15), counters.MINUTE),
    _Window(timedelta(hours=2), counters.HOUR),
)


def find(scene: Scene, thresholds: Failing) -> Iterator[Finding]:
    """One finding a task type, of the shortest time that shows it."""
    told: set[str] = set()
    for window in _WINDOWS:
        since = scene.now - window.length
        now = usual.of(scene.project, window.step, counters.NAMES, since)
        began = _failing(now, thresholds.failures)
        names = [name for name in began if name not in told]
        if not names:
            continue
        past = usual.ended(usual.same_hours(scene.project, names, since, scene.now))
        for name, ended in usual.ended(now.filter(name__in=names)).items():
            before = past.get(name, Ended())
            if _is_worse(ended, before, thresholds):
                told.add(name)
                yield _finding(scene, name, window, ended, before, began[name])


def _failing(statistics: QuerySet[Statistic], failures: int) -> Mapping[str, int]:
    """The names with so many failures, and when the first of them was; the most failures first."""
    told = statistics.filter(failed__gt=0).order_by().values_list("name")
    most = told.annotate(number=Sum("failed"), began=Min("at")).filter(number__gte=failures)
    rows = most.order_by("-number", "name")[: usual.NAMES]
    return {name: began for name, _, began in rows}


def _is_worse(now: Ended, before: Ended, thresholds: Failing) -> bool:
    usually = before.failed / before.count if before.count >= _PAST else 0.0
    # Of what fails half the time, twice as much can't fail.
    higher = min(usually * thresholds.times, (1 + usually) / 2)
    return least(now.failed, now.count) > max(higher, thresholds.share)


def least(failed: int, count: int) -> float:
    """The least share of failures that is likely, of which so many of so many were seen."""
    if not count:
        return 0.0
    share, square = failed / count, _DEVIATIONS**2
    middle = share + square / (2 * count)
    spread = _DEVIATIONS * math.sqrt((share * (1 - share) + square / (4 * count)) / count)
    return (middle - spread) / (1 + square / count)


def _finding(
    scene: Scene, name: str, window: _Window, now: Ended, before: Ended, began: int
) -> Finding:
    at = scene.now.timestamp()
    span = at - (at - window.length.total_seconds()) // window.step * window.step
    evidence = (
        f"{now.failed:,} of {now.count:,} runs of {short(name)} failed in the last "
        f"{duration(span)} ({now.failed / now.count:.1%}); "
    )
    if before.count >= _PAST:
        share = f"{before.failed / before.count:.1%}"
        evidence += (
            f"at these hours of the last {usual.DAYS} days, {before.failed:,} of "
            f"{before.count:,} did ({share})."
        )
    else:
        evidence += "before that it hardly ran."
    numbers = {
        "failed": now.failed,
        "runs": now.count,
        "failed_before": before.failed,
        "runs_before": before.count,
    }
    since = datetime.fromtimestamp(began, UTC if settings.USE_TZ else None)
    return Finding(name, min(since, scene.now), evidence, numbers)


CONDITION: Final = Condition(
    key="failing",
    title="Failing",
    about="Far more runs of a task fail than at the same hours of the last seven days.",
    severity="critical",
    subject="task type",
    remedy="See what its failures have in common, and what was deployed before. Once it is "
    "mended, retry them.",
    find=find,
    thresholds=Failing,
    filter=of_subject("name", "state:FAILURE"),
)
