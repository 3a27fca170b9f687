"""How a worker stands, in one word, by anything that was heard of it; and what says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from z4j_django.agent import events
from z4j_django.models import ConditionRecord, WorkerRecord
from z4j_django.queries import liveness, unfinished
from z4j_django.values import counted, duration

Word = Literal["online", "busy", "not consuming", "silent", "gone", "stopped"]
#: The condition that says of a worker that it takes nothing, though it could.
NOT_CONSUMING: Final = "worker_not_consuming"


@dataclass(frozen=True)
class Status:
    """How a worker stands.

    Attributes:
        word: In one word.
        evidence: What says so, in a sentence.
    """

    word: Word
    evidence: str


def of(worker: WorkerRecord, used: int, now: datetime, takes_nothing: str = "") -> Status:
    """How ``worker`` stands at ``now``.

    Args:
        worker: It.
        used: How many of its slots are held.
        now: The moment.
        takes_nothing: What says that it takes nothing, though it could.
    """
    if not worker.online:
        return Status("stopped", f"It said goodbye{_ago(worker.stopped_at, now)}.")
    presence = liveness.presence(worker, now)
    if presence != "online":
        is_gone = worker.last_seen is None or now - worker.last_seen > liveness.GONE_AFTER
        evidence = f"It was last heard of{_ago(worker.last_seen, now)}, and said no goodbye."
        return Status("gone" if is_gone else "silent", evidence)
    if worker.pool == events.BEAT or not worker.concurrency:
        return Status("online", "It is heard of.")
    if takes_nothing:
        return Status("not consuming", takes_nothing)
    if used >= worker.concurrency:
        return Status("busy", f"It is heard of, and its slots are all held: {used}.")
    slots = f"{used} of its {counted(worker.concurrency, 'slot', 'slots')}"
    return Status("online", f"It is heard of, and {slots} {'is' if used == 1 else 'are'} held.")


def tell(workers: Sequence[Any], now: datetime) -> None:
    """Say of each of some workers how it stands: ``used`` and ``status``."""
    for project in {one.project for one in workers}:
        mine = [one for one in workers if one.project == project]
        used = slots_used(project)
        take_nothing = not_consuming(project, [one.hostname for one in mine])
        for one in mine:
            one.used = used[one.hostname]
            one.status = of(one, one.used, now, take_nothing.get(one.hostname, ""))


def slots_used(project: str) -> Counter[str]:
    """How many tasks each worker of a project runs, of the newest that run."""
    return Counter(task.worker for task in unfinished.running(project)[0])


def not_consuming(project: str, hostnames: Sequence[str]) -> Mapping[str, str]:
    """What says of workers that they take nothing, by hostname."""
    held = ConditionRecord.objects.filter(
        project=project, key=NOT_CONSUMING, subject__in=hostnames, is_open=True
    )
    return dict(held.values_list("subject", "evidence"))


def _ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return ""
    seconds = max(round((now - moment).total_seconds()), 0)
    return f" {duration(seconds) if seconds >= 60 else f'{seconds} s'} ago"
