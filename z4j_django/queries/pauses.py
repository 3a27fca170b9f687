"""Queues that are paused."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from django.db.models import QuerySet

from z4j_django.models import PausedQueue, WorkerRecord
from z4j_django.models.primary import primary


def kept(project: str) -> QuerySet[PausedQueue]:
    """Those that are paused, or were until some of their workers did not answer."""
    return primary(PausedQueue).filter(project=project)


def current(project: str) -> QuerySet[PausedQueue]:
    """Those that are paused."""
    return kept(project).filter(resumed_at=None)


def by_queue(project: str) -> Mapping[str, PausedQueue]:
    """The same by their names."""
    return {one.queue: one for one in current(project).prefetch_related("consumers")}


def takers(pause: PausedQueue | None, workers: Sequence[WorkerRecord]) -> Sequence[WorkerRecord]:
    """Those of a queue's workers that take from it, though it is paused, if it is."""
    if pause is None:
        return workers
    return among(workers, {one.hostname for one in pause.consumers.all() if one.consumes})


def among(workers: Sequence[WorkerRecord], names: Container[str]) -> Sequence[WorkerRecord]:
    """Those of the workers that have one of some names."""
    return [one for one in workers if one.hostname in names]


def of(project: str, queue: str) -> PausedQueue | None:
    """The pause of a queue, if it is paused."""
    return current(project).filter(queue=queue).first()
