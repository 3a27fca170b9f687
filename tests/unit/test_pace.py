from __future__ import annotations

from datetime import UTC, datetime, timedelta

from z4j_django.models import TaskRecord
from z4j_django.queries.tasks import Pace, pace

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_finished_task_waited_from_sent_to_started() -> None:
    task = TaskRecord(state="SUCCESS", sent_at=at(-9), started_at=at(-5), runtime=3.5)
    assert pace(task, NOW) == Pace(wait=4.0, run=3.5, since="sent", ongoing=None)


def test_a_task_that_no_worker_took_still_waits() -> None:
    task = TaskRecord(state="PENDING", sent_at=at(-9))
    assert pace(task, NOW) == Pace(wait=9.0, run=None, since="sent", ongoing="wait")


def test_a_running_task_still_runs() -> None:
    task = TaskRecord(state="STARTED", sent_at=at(-9), started_at=at(-5))
    assert pace(task, NOW) == Pace(wait=4.0, run=5.0, since="sent", ongoing="run")


def test_the_time_before_its_eta_is_no_wait() -> None:
    task = TaskRecord(state="SUCCESS", sent_at=at(-90), eta=at(-10), started_at=at(-8), runtime=1.0)
    assert pace(task, NOW) == Pace(wait=2.0, run=1.0, since="eta", ongoing=None)


def test_a_retried_task_waited_since_its_last_receipt() -> None:
    task = TaskRecord(
        state="FAILURE",
        retries=2,
        sent_at=at(-90),
        received_at=at(-7),
        started_at=at(-6),
        runtime=1.0,
    )
    assert pace(task, NOW) == Pace(wait=1.0, run=1.0, since="received", ongoing=None)


def test_clocks_that_disagree_give_no_negative_wait() -> None:
    task = TaskRecord(state="SUCCESS", sent_at=at(-1), started_at=at(-3), runtime=0.5)
    assert pace(task, NOW).wait == 0.0


def test_a_revoked_task_that_never_ran_has_no_pace() -> None:
    task = TaskRecord(state="REVOKED", sent_at=at(-1), finished_at=at(0))
    assert pace(task, NOW) == Pace(wait=None, run=None, since="sent", ongoing=None)
