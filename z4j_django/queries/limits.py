"""Rate and time limits that were set by hand: they last until the worker ends, or is told else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from z4j_django import verbs
from z4j_django.models import OperationTarget, WorkerRecord
from z4j_django.queries import workers

VERBS: Final = (verbs.RATE_LIMIT.name, verbs.TIME_LIMIT.name)
#: Limits that are looked through at once.
_MOST: Final = 5_000


@dataclass(frozen=True)
class Limit:
    """A limit that a worker has by hand.

    Attributes:
        worker: Which.
        task: The name of the tasks.
        verb: What was asked for.
        options: With which options.
        before: What the limits were, by their names, as the worker told them.
        operation: Its number.
        actor: Who asked.
        at: When.
        is_sure: Whether the worker was seen to have it; one that did not show it in time perhaps
            does.
    """

    worker: WorkerRecord
    task: str
    verb: str
    options: Mapping[str, Any]
    before: Mapping[str, Any]
    operation: int
    actor: str
    at: datetime
    is_sure: bool = True

    @property
    def is_reset(self) -> bool:
        """Whether it is the task's own again."""
        return bool(self.options.get("reset"))

    def __str__(self) -> str:
        if self.verb == verbs.RATE_LIMIT.name:
            rate = self.options.get("rate")
            return "no rate limit" if rate in ("0", "0.0") else f"rate limit {rate}"
        told = ((words, self.options.get(name)) for name, words in _WORDS)
        return ", ".join(f"{words} {value:g} s" for words, value in told if value is not None)


_WORDS: Final = (("hard", "time limit"), ("soft", "soft time limit"))


def of_worker(worker: WorkerRecord) -> list[Limit]:
    """Those that a worker has, the newest first."""
    return _standing(_set([worker]))


def of_task(project: str, name: str) -> list[Limit]:
    """Those that the online workers of a project have for tasks of a name, the newest first."""
    if not OperationTarget.objects.filter(project=project, operation__verb__in=VERBS).exists():
        return []
    found = _set(workers.online(project, timezone.now()))
    return _standing(one for one in found if one.task == name)


def own(records: Sequence[WorkerRecord], verb: str, task: str) -> dict[str, Mapping[str, Any]]:
    """What limits of a task were before the first was set by hand, by hostname."""
    found: dict[str, Mapping[str, Any]] = {}
    for one in _set(records):
        if one.verb == verb and one.task == task:
            found.setdefault(one.worker.hostname, one.before)
    return found


def _standing(limits: Iterable[Limit]) -> list[Limit]:
    by_place: dict[tuple[str, str, str], list[Limit]] = {}
    for one in limits:
        by_place.setdefault((one.worker.hostname, one.verb, one.task), []).append(one)
    standing = filter(None, (_newest(found[::-1]) for found in by_place.values()))
    return sorted(standing, key=lambda one: one.at, reverse=True)


def _newest(limits: Sequence[Limit]) -> Limit | None:
    """Which of them stands, the newest first; nothing after one that was seen to be reset."""
    is_sure = True
    for one in limits:
        if not one.is_reset:
            return replace(one, is_sure=is_sure and one.is_sure)
        if one.is_sure:
            return None
        is_sure = False
    return None


def _set(records: Sequence[WorkerRecord]) -> Iterator[Limit]:
    """All that was set since each worker started, the oldest first."""
    running = {one.hostname: one for one in records if one.started_at is not None and one.online}
    if not running:
        return
    rows = OperationTarget.objects.filter(
        project=records[0].project,
        kind=OperationTarget.Kind.WORKER,
        target__in=list(running),
        outcome__in=(OperationTarget.Outcome.DONE, OperationTarget.Outcome.UNKNOWN),
        operation__verb__in=VERBS,
    )
    for target in reversed(rows.select_related("operation").order_by("-id")[:_MOST]):
        worker, operation = running[target.target], target.operation
        if target.at is not None and worker.started_at and target.at >= worker.started_at:
            before = operation.parameters.get("before") or {}
            is_sure = target.outcome == OperationTarget.Outcome.DONE
            if not is_sure and worker.hostname not in before:
                continue  # it was never told
            yield Limit(
                worker,
                str(operation.parameters.get("task", "")),
                operation.verb,
                operation.parameters,
                before.get(worker.hostname) or {},
                operation.pk,
                operation.actor,
                target.at,
                is_sure,
            )
