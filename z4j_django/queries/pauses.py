"""Queues that are paused."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import QuerySet

from z4j_django.models import PausedQueue
from z4j_django.models.primary import primary


def kept(project: str) -> QuerySet[PausedQueue]:
    """Those that are paused, or were until some of their workers did not answer."""
    return primary(PausedQueue).filter(project=project)


def current(project: str) -> QuerySet[PausedQueue]:
    """Those that are paused."""
    return kept(project).filter(resumed_at=None)


def by_queue(project: str) -> Mapping[str, PausedQueue]:
    """The same by their names."""
    return {one.queue: one for one in current(project)}


def of(project: str, queue: str) -> PausedQueue | None:
    """The pause of a queue, if it is paused."""
    return current(project).filter(queue=queue).first()
