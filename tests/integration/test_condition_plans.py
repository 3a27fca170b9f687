"""How each database finds what the conditions ask every few seconds, in tables too large to read.

Each condition is brought to find something, so that it asks all that it can ask.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from tests import plans
from tests.integration.finding import NOW, ago, find
from tests.integration.test_plans import flush
from z4j_django import counters, histograms
from z4j_django.conditions import chord_stuck
from z4j_django.models import (
    ErrorGroup,
    GroupRecord,
    Statistic,
    TaskEvent,
    TaskRecord,
    WorkerRecord,
)
from z4j_django.queries import timetable, unfinished
from z4j_django.queries.recurrence import Interval
from z4j_django.queries.timetable import Entry

ROWS = 20_000
NAMES = 50
#: Small ones, which are read whole as well, are not among them.
LARGE = (TaskRecord, TaskEvent, GroupRecord, Statistic)
TABLES = (*LARGE, ErrorGroup, WorkerRecord)


def record(number: int) -> TaskRecord:
    """Mostly done; some of a worker that is gone, some twice with one that is there."""
    state = {0: "STARTED", 1: "RECEIVED", 2: "REVOKED", 3: "FAILURE"}.get(number % 100, "SUCCESS")
    if number % 10 == 5:
        state = "PENDING"
    is_member = number % 20 == 10
    return TaskRecord(
        task_id=f"t{number}",
        name=f"shop.task_{number % NAMES}",
        state=state,
        queue=f"queue_{number % 40}",
        worker="gone@h" if number % 200 == 1 else "there@h",
        pid=7,
        deliveries=2 if number % 200 == 100 else 1,
        exception_message="expired" if state == "REVOKED" else "",
        expires=ago(minutes=5) if state == "PENDING" else None,
        sent_at=None if number % 1000 == 5 else ago(seconds=ROWS - number),
        received_at=None if state == "PENDING" else ago(hours=3),
        started_at=ago(hours=2) if state == "STARTED" else None,
        finished_at=ago(minutes=5) if state in ("SUCCESS", "REVOKED") else None,
        group_id=f"g{number // 1000 * 1000}" if is_member else "",
        group_index=number % 1000 if is_member else None,
        schedule=f"every {number % NAMES}" if number % 7 == 0 else "",
    )


def statistics() -> Iterator[Statistic]:
    """Of a quarter of an hour in which far more failed than ever before."""
    runs = histograms.packed({histograms.bucket_of(0.02): 40})
    for step, length, failed in ((60, 60, 90), (3600, 170, 10), (86400, 8, 10)):
        told: dict[str, Any] = {"succeeded": 30, "failed": failed, "sent": 40, "runs": runs}
        for name, back in itertools.product(range(NAMES), range(length)):
            at = (int(NOW.timestamp()) // step - back) * step
            place = {"scope": counters.NAMES, "name": f"shop.task_{name}", "queue": "q"}
            yield Statistic(step=step, at=at, **place, **told)
            if step == counters.MINUTE:
                queue = {"scope": counters.QUEUES, "queue": f"queue_{name}"}
                yield Statistic(step=step, at=at, **queue, **told)


@pytest.fixture(scope="module")
def _tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Committed, for MySQL's ANALYZE ends a transaction; cleared at the end."""
    with django_db_blocker.unblock():
        TaskRecord.objects.bulk_create(map(record, range(ROWS)), batch_size=1000)
        TaskEvent.objects.bulk_create(
            (
                TaskEvent(
                    task_id=f"t{number}", kind=kind, at=ago(hours=hours), worker="there@h", pid=7
                )
                for number in range(ROWS // 4)
                for kind, hours in (("task_received", 3), ("task_received", 2))
            ),
            batch_size=1000,
        )
        GroupRecord.objects.bulk_create(
            (
                GroupRecord(
                    group_id=f"g{number}",
                    kind="chord",
                    size=1,
                    body_id=f"g{number - 9}" if number % 10 == 9 else f"t{number + 5}",
                    body_name={8: "celery.group", 9: "celery.chord"}.get(number % 10, "shop.end"),
                    first_seen=ago(hours=2),
                )
                for number in range(ROWS // 4)
            ),
            batch_size=1000,
        )
        Statistic.objects.bulk_create(statistics(), batch_size=1000)
        ErrorGroup.objects.bulk_create(
            ErrorGroup(
                fingerprint=number,
                name="shop.pay",
                task_id="t",
                state="open" if number % 50 == 0 else "resolved",
                first_seen=ago(minutes=5),
                last_seen=NOW,
                count=1,
                regressed_at=NOW if number % 100 == 0 else None,
            )
            for number in range(3000)
        )
        life = {"pid": 7, "started_at": ago(days=2), "last_seen": NOW}
        WorkerRecord.objects.bulk_create(
            [
                WorkerRecord(hostname="there@h", online=True, **life),
                WorkerRecord(hostname="gone@h", online=False, stopped_at=ago(hours=1), **life),
                *(WorkerRecord(hostname=f"w{number}@h", stopped_at=NOW) for number in range(900)),
            ]
        )
        with connection.cursor() as cursor:
            for model in TABLES:
                words = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
                cursor.execute(f"{words} {model._meta.db_table}")
        yield
        flush(*TABLES)


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_tables")]


@pytest.fixture(autouse=True)
def _schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty that are overdue; and no luck in where is looked."""
    late = [Entry(f"every {number}", "shop.tick", Interval(30.0)) for number in range(NAMES)]
    monkeypatch.setattr(timetable, "entries", lambda: late)
    monkeypatch.setattr(random, "random", lambda: 0.5)


def named(model: type[Model], sql: str) -> bool:
    return f"{model._meta.db_table}" in sql


CONDITIONS = {
    "possibly_lost": {"z4j_task_state", "primary"},
    "delivered_n_times": {"z4j_task_state", "z4j_event_task"},
    "task_running_long": {"z4j_task_state"},
    "chord_stuck": {"primary", "z4j_task_group"},
    "expired_in_bulk": {"z4j_task_state", "z4j_task_sent"},
    "failing": {"z4j_statistic_at"},
    "schedule_overdue": {"z4j_task_schedule"},
    "new_error": {"primary"},
    "regressed_error": {"z4j_error_state"},
}


@pytest.mark.parametrize("key", CONDITIONS)
def test_a_condition_reads_no_large_table_whole(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chord_stuck, "_NEWEST", 1500)
    monkeypatch.setattr(unfinished, "LOOK", 500)
    if key == "schedule_overdue":
        TaskRecord.objects.exclude(schedule="").update(sent_at=ago(hours=1))
    with CaptureQueriesContext(connection) as captured:
        assert find(key)
    seen: set[str] = set()
    for one in captured:
        sql = one["sql"]
        if sql.startswith("SELECT") and any(named(model, sql) for model in TABLES):
            plan = plans.explain(connection, sql)
            seen |= plan.indexes
            if any(named(model, sql) for model in LARGE):
                assert not plan.scans, f"{sql}\n{plan.text}"
    if connection.vendor != "postgresql":  # which may take a bitmap for so few
        return
    assert seen >= CONDITIONS[key] - {"primary"}, seen


def test_a_condition_asks_few_questions() -> None:
    asked = {}
    for key in CONDITIONS:
        with CaptureQueriesContext(connection) as captured:
            find(key)
        asked[key] = len(captured)
    assert max(asked.values()) <= 30, asked
    assert sum(asked.values()) <= 80, asked
