"""Tasks that expired before anybody took them, or when a worker came to them at last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from django.db.models import Count, Min, Q, Sum
from msgspec import Meta

from z4j_django import counters, states
from z4j_django.conditions.base import Condition, Finding, Thresholds, of_subject
from z4j_django.conditions.scene import Scene
from z4j_django.conditions.wording import short
from z4j_django.options import Seconds, option
from z4j_django.queries import status, unfinished, usual
from z4j_django.values import counted, duration

#: What is on record of a task that a worker threw away for that.
_EXPIRED: Final = "expired"


class ExpiredInBulk(Thresholds, frozen=True, kw_only=True):
    """Of the tasks of one queue."""

    within: Annotated[Seconds, option("Seconds that are looked back.")] = 3_600
    least: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)],
        option("Tasks that expired, without which it is not told."),
    ] = 5
    share: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        option("The share of what was sent to the queue meanwhile that may expire."),
    ] = 0.2
    most: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)],
        option("Tasks that expired, for which it is told however small a share they are."),
    ] = 1_000


def find(scene: Scene, thresholds: ExpiredInBulk) -> Iterator[Finding]:
    """One finding a queue."""
    since = scene.now - timedelta(seconds=thresholds.within)
    taken, waiting = _taken(scene, since), _waiting(scene, since)
    many = {
        queue
        for queue in taken.keys() | waiting.keys()
        if taken.number(queue) + waiting.number(queue) >= thresholds.least
    }
    if not many:
        return
    sent = _sent(scene.project, sorted(many), since)
    for queue in many:
        number = taken.number(queue) + waiting.number(queue)
        few = thresholds.share * sent.get(queue, 0)
        if number >= min(max(few, thresholds.least), thresholds.most):
            yield _finding(scene, queue, taken, waiting, sent.get(queue, 0), since)


class _Expired(dict[str, tuple[int, datetime]]):
    """How many expired, by queue, and when the first of them did."""

    def number(self, queue: str) -> int:
        """How many did in a queue."""
        return self[queue][0] if queue in self else 0


def _taken(scene: Scene, since: datetime) -> _Expired:
    """Those that a worker took, and threw away."""
    rows = unfinished.newest(scene.project, states.REVOKED)
    return _counted(rows.filter(exception_message=_EXPIRED, finished_at__gte=since), "finished_at")


def _waiting(scene: Scene, since: datetime) -> _Expired:
    """Those that are in nobody's hands. Of a long queue both ends are looked at."""
    expired = status.STATUSES["expired"].condition(scene.now) & Q(expires__gte=since)
    found = _Expired()
    day = scene.now - timedelta(days=1)
    for rows in (
        unfinished.newest(scene.project, states.PENDING),
        unfinished.oldest(scene.project, states.PENDING, day),
    ):
        for queue, told in _counted(rows.filter(expired), "expires").items():
            found[queue] = max(found.get(queue, told), told)
    return found


def _counted(rows: Any, moment: str) -> _Expired:
    told = rows.filter(status.VISIBLE).order_by().values_list("queue")
    return _Expired(
        (queue, (number, first)) for queue, number, first in told.annotate(Count("id"), Min(moment))
    )


def _sent(project: str, queues: list[str], since: datetime) -> dict[str, int]:
    rows = usual.of(project, counters.MINUTE, counters.QUEUES, since).filter(queue__in=queues)
    sums = rows.order_by().values_list("queue").annotate(Sum("sent"))
    return {queue: int(number) for queue, number in sums}


def _finding(
    scene: Scene, queue: str, taken: _Expired, waiting: _Expired, sent: int, since: datetime
) -> Finding:
    number = taken.number(queue) + waiting.number(queue)
    span = duration(scene.seconds(since))
    evidence = (
        f"At least {counted(number, 'task')} of the queue {short(queue) or 'of no name'} expired "
        f"in the last {span}, in which {sent:,} were sent: "
    )
    parts = []
    if waiting.number(queue):
        parts.append(f"{waiting.number(queue):,} that nobody took")
    if taken.number(queue):
        parts.append(f"{taken.number(queue):,} that a worker took too late")
    began = min(one[queue][1] for one in (taken, waiting) if queue in one)
    numbers: dict[str, float | str] = {
        "expired": number,
        "untaken": waiting.number(queue),
        "sent": sent,
    }
    return Finding(queue, began, evidence + " and ".join(parts) + ".", numbers)


def _filter(finding: Finding) -> str:
    """Those that nobody took, where there are any; else those that a worker threw away."""
    which = "is:expired" if finding.numbers.get("untaken") else "state:REVOKED"
    return of_subject("queue", which)(finding)


CONDITION: Final = Condition(
    key="expired_in_bulk",
    title="Expired in bulk",
    about="Many of the tasks of a queue expire before a worker begins them.",
    severity="warning",
    subject="queue",
    remedy="Give the queue more workers, or the tasks more time. What expired can be retried "
    "without its expiry.",
    find=find,
    thresholds=ExpiredInBulk,
    filter=_filter,
)
