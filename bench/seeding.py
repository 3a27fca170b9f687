"""Large tables with a realistic mix, made by the database itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from bench import seeding_numbers
from bench import seeding_tasks as tasks
from bench.series import Scale, insert


def seed(rows: int, with_events: str) -> None:
    """Fill the empty tables of the database that Django has.

    Args:
        rows: Tasks.
        with_events: Which of them, by their number ``i``, have events: an SQL condition.
    """
    from django.db import connection
    from django.utils import timezone

    from z4j_django.models import (
        GroupRecord,
        JournalLoss,
        Operation,
        OperationTarget,
        QueueSample,
        Statistic,
        TaskEvent,
        TaskRecord,
    )

    scale = Scale(rows, connection.vendor, timezone.now())
    with (
        without_indexes(connection, (TaskRecord, TaskEvent, Statistic, QueueSample)),
        connection.cursor() as cursor,
    ):
        if scale.vendor == "mysql":
            cursor.execute("set session sql_mode = concat(@@sql_mode, ',PIPES_AS_CONCAT')")
        insert(cursor, TaskRecord, tasks.task_columns(scale), rows, "1 = 1")
        insert(cursor, TaskEvent, tasks.event_columns(scale), rows, with_events)
        insert(cursor, GroupRecord, tasks.group_columns(scale), rows, "i % 200 = 0")
        insert(cursor, Operation, tasks.operation_columns(scale), rows // 1000, "1 = 1")
        insert(cursor, OperationTarget, tasks.target_columns(scale), rows // 100, "1 = 1")
        insert(cursor, JournalLoss, tasks.loss_columns(scale), rows // 10_000, "1 = 1")
        seeding_numbers.seed(cursor, scale)
    seed_hosts()
    with connection.cursor() as cursor:
        # SQLite's statistics are left as few projects have them: without.
        if scale.vendor == "postgresql":
            cursor.execute("vacuum analyze")
        elif scale.vendor == "mysql":
            models = (TaskRecord, TaskEvent, Statistic, QueueSample)
            tables = ", ".join(model._meta.db_table for model in models)
            cursor.execute(f"analyze table {tables}")


@contextlib.contextmanager
def without_indexes(connection: Any, models: Sequence[Any]) -> Iterator[None]:
    """Make the indexes of some tables when their rows are there: that takes a part of the time."""
    # SQLite would make the table anew for a constraint.
    keys = connection.vendor == "postgresql"
    if keys:
        with connection.cursor() as cursor:
            cursor.execute("set synchronous_commit = off; set maintenance_work_mem = '512MB'")
    with connection.schema_editor() as editor:
        for model in models:
            for index in model._meta.indexes:
                editor.remove_index(model, index)
            for constraint in model._meta.constraints if keys else ():
                editor.remove_constraint(model, constraint)
    yield
    for model in models:
        for index in model._meta.indexes:
            with connection.schema_editor() as editor:
                editor.add_index(model, index)
        for constraint in model._meta.constraints if keys else ():
            with connection.schema_editor() as editor:
                editor.add_constraint(model, constraint)


def seed_hosts() -> None:
    """The workers, a beat, and a journal of each of their hosts."""
    from django.utils import timezone

    from z4j_django.agent import events
    from z4j_django.models import JournalRecord, WorkerRecord

    now = timezone.now()
    told = {"online": True, "started_at": now, "last_seen": now}
    queues = [f"reports_{number}" for number in range(tasks.REPORT_QUEUES)]
    workers = [
        WorkerRecord(
            hostname=f"celery@pod-{number}",
            pool="prefork",
            concurrency=8,
            queues=["celery", "mail", "seldom", queues[number % tasks.REPORT_QUEUES]],
            **told,
        )
        for number in range(tasks.WORKERS)
    ]
    workers.append(WorkerRecord(hostname="celery@retired", stopped_at=now, online=False))
    workers.append(WorkerRecord(hostname="beat@pod-0", pool=events.BEAT, **told))
    WorkerRecord.objects.bulk_create(workers)
    JournalRecord.objects.bulk_create(
        JournalRecord(host=f"pod-{number}", directory="/run/z4j", seen_at=now)
        for number in range(tasks.WORKERS)
    )
