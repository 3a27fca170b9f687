"""What it takes to tell a task that workers passed over, where one queue has nearly all tasks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import plans, work
from tests.integration import test_plans
from tests.integration.test_plans import ROWS
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import pages, status
from z4j_django.queries.cursors import Cursor

NOW = timezone.now()
AGO = NOW - timedelta(hours=1)
#: Rows that a page looks through here.
WINDOW = 250

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_tables")]


def record(number: int) -> TaskRecord:
    """The oldest wait in a queue that nobody consumes, the newest in one that is far behind."""
    waits = number < WINDOW or number > ROWS - 2 * WINDOW
    return TaskRecord(
        task_id=str(number),
        queue="idle" if number < WINDOW else "busy",
        state="PENDING" if waits else "SUCCESS",
        sent_at=AGO + timedelta(milliseconds=number),
        received_at=None if waits else NOW,
    )


@pytest.fixture(scope="module")
def _tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Committed, for MySQL's ANALYZE ends a transaction; cleared at the end."""
    with django_db_blocker.unblock():
        TaskRecord.objects.bulk_create(map(record, range(ROWS)), batch_size=1000)
        chords = (
            GroupRecord(group_id=f"g{number}", body_id=f"body{number}", first_seen=NOW)
            for number in range(2000)
        )
        GroupRecord.objects.bulk_create(chords, batch_size=1000)
        words = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
        with connection.cursor() as cursor:
            for model in (TaskRecord, GroupRecord):
                cursor.execute(f"{words} {model._meta.db_table}")
        yield
        test_plans.flush(TaskRecord, GroupRecord)


@pytest.mark.parametrize("is_idle", [False, True])
def test_a_page_looks_at_a_few_tasks_beside_each_of_its_window(
    is_idle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "WINDOW", WINDOW)
    asked = filters.parse("is:untaken", now=NOW)
    start = Cursor(before=TaskRecord.objects.get(task_id=str(WINDOW)).pk) if is_idle else Cursor()
    found: list[Any] = []
    seen = work.rows_read(
        TaskRecord._meta.db_table,
        lambda: found.append(asked.page(TaskRecord.objects.all(), start, 50)),
    )
    assert found[0].rows == []
    assert seen < 60 * WINDOW


@pytest.mark.parametrize("order", ["id", "-id"])
def test_what_is_said_of_a_page_comes_along_the_queue(order: str) -> None:
    rows = list(TaskRecord.objects.order_by(order)[:50])
    with CaptureQueriesContext(connection) as captured:
        status.tell(rows, NOW)
    [told] = captured
    plan = plans.explain(connection, told["sql"])
    assert "z4j_task_queue" in plan.indexes, plan.text
    assert not plan.scans, plan.text
    seen = work.rows_read(TaskRecord._meta.db_table, lambda: status.tell(_anew(rows), NOW))
    assert seen < 200 * len(rows)


def _anew(rows: list[TaskRecord]) -> list[TaskRecord]:
    for row in rows:
        row.status = None
    return rows
