"""How each database finds what a round looks at, on tables too large to be read whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import plans
from tests.integration.test_plans import flush
from z4j_django.conditions import attention
from z4j_django.conditions.scene import Scene
from z4j_django.models import ConditionRecord, QueueSample, TaskRecord
from z4j_django.queries import queues, unfinished
from z4j_django.watch import sampling
from z4j_django.watch.sampling import Told

NOW = timezone.now()
TABLES = (TaskRecord, QueueSample, ConditionRecord)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def _tables(django_db_setup, django_db_blocker):
    """Committed, for MySQL's ANALYZE ends a transaction; cleared at the end."""
    with django_db_blocker.unblock():
        TaskRecord.objects.bulk_create(
            (
                TaskRecord(
                    task_id=str(number),
                    name="shop.mail",
                    queue=f"q{number % 50}",
                    worker=f"w{number % 50}@h",
                    state=("STARTED", "RECEIVED", "PENDING")[number % 3]
                    if number % 200 == 0
                    else "SUCCESS",
                    sent_at=NOW,
                    received_at=NOW,
                )
                for number in range(10_000)
            ),
            batch_size=1000,
        )
        QueueSample.objects.bulk_create(
            (
                QueueSample(queue=f"q{queue}", at=NOW - timedelta(minutes=minute), depth=1)
                for minute in range(300, -1, -1)
                for queue in range(20)
            ),
            batch_size=1000,
        )
        ConditionRecord.objects.bulk_create(
            (
                ConditionRecord(
                    key="worker_gone",
                    subject=f"w{number}",
                    since=NOW,
                    last_seen=NOW,
                    ended_at=NOW - timedelta(minutes=number) if number > 10 else None,
                    is_open=None if number > 10 else True,
                )
                for number in range(2000)
            ),
            batch_size=1000,
        )
        with connection.cursor() as cursor:
            for model in TABLES:
                words = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
                cursor.execute(f"{words} {model._meta.db_table}")
        yield
        flush(*TABLES)


@pytest.mark.django_db
@pytest.mark.usefixtures("_tables")
@pytest.mark.parametrize(
    ("index", "read"),
    [
        ("z4j_task_state", lambda: Scene("default", NOW).hands),
        ("z4j_sample_at", lambda: Scene("default", NOW).recent_samples),
        (
            "z4j_sample_queue",
            lambda: Scene("default", NOW).history(["q1", "q2"], NOW - DAY, NOW, range(0, 60, 10)),
        ),
        ("z4j_sample_queue", lambda: queues.samples("default", "q1", NOW - DAY, 100)),
        (
            "z4j_task_state",
            lambda: sampling.oldest_waiting("default", NOW, {"q1": Told(1)}),
        ),
        ("z4j_condition_ended", lambda: attention.read("default")),
        ("z4j_condition_ended", lambda: attention.holding("default")),
        ("z4j_sample_at", lambda: queues.newest("default", NOW)),
        ("z4j_task_state", lambda: unfinished.held("default", "RECEIVED")),
    ],
)
def test_each_is_led_by_its_index(index: str, read: Callable[[], Any]) -> None:
    with CaptureQueriesContext(connection) as captured:
        read()
    found = [
        plans.explain(connection, one["sql"])
        for one in captured
        if "z4j_django_lease" not in one["sql"]
    ]
    assert found
    for plan in found:
        assert not plan.scans, plan.text
        assert plan.indexes == {index}, plan.text
