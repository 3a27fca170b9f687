"""The admin's first page by itself, and what there may be on it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.integration.counted import counted
from tests.integration.pages import task
from z4j_django.admin import fragments
from z4j_django.admin.room import reading
from z4j_django.models import (
    ConditionRecord,
    ErrorGroup,
    JournalRecord,
    Lease,
    QueueSample,
    TaskRecord,
    WorkerRecord,
)
from z4j_django.watch import on_demand


def alone(patch: pytest.MonkeyPatch) -> list[str]:
    """Have it remember nothing, and make no round where nobody else does.

    Returns:
        The projects of which it would have made one.
    """
    asked: list[str] = []
    fragments.forget()
    reading.forget()
    patch.setattr(on_demand, "refresh_soon", asked.append)
    return asked


def looked(ago: float = 3.0) -> None:
    """Somebody evaluated the conditions so many seconds ago."""
    at = timezone.now() - timedelta(seconds=ago)
    Lease.objects.update_or_create(
        project="default", name=Lease.WATCH, defaults={"until": at, "done_at": at}
    )


def condition(key: str = "slots_held", subject: str = "w1@web1", **fields: Any) -> ConditionRecord:
    given = {
        "severity": "critical",
        "since": timezone.now() - timedelta(minutes=6),
        "last_seen": timezone.now(),
        "evidence": f"All 2 slots of {subject} are held.",
        **fields,
    }
    return ConditionRecord.objects.create(key=key, subject=subject, **given)


def worker(hostname: str = "w1@web1", **fields: Any) -> WorkerRecord:
    given = {"online": True, "concurrency": 2, "queues": ["mail"], "last_seen": timezone.now()}
    return WorkerRecord.objects.create(hostname=hostname, **(given | fields))


def running(task_id: str = "a", seconds: float = 1080, **fields: Any) -> TaskRecord:
    began = timezone.now() - timedelta(seconds=seconds)
    given = {"name": "shop.import_catalogue", "worker": "w1@web1", "state": "STARTED"}
    return task(task_id, **{**given, "started_at": began, **fields})


def error(**fields: Any) -> ErrorGroup:
    now = timezone.now()
    given = {
        "fingerprint": 7,
        "name": "shop.charge_card",
        "exception_type": "shop.CardDeclined",
        "task_id": "a",
        "count": 40,
        "first_seen": now - timedelta(days=3),
        "last_seen": now - timedelta(seconds=10),
    }
    return ErrorGroup.objects.create(**(given | fields))


def sample(queue: str = "mail", **fields: Any) -> QueueSample:
    given = {"at": timezone.now(), "depth": 412, "consumers": 2}
    return QueueSample.objects.create(queue=queue, **(given | fields))


def shop() -> None:
    """A bit of everything."""
    now = timezone.now()
    looked()
    condition()
    worker()
    running()
    error()
    sample(oldest_at=now - timedelta(minutes=6))
    JournalRecord.objects.create(host="web1", directory="/j", pid=1, seen_at=now)
    for minute in range(1, 120):
        at = time.time() - 60 * minute
        counted(at, "shop.import_catalogue", "mail", sent=2, started=2, succeeded=2, runs={40.0: 1})
