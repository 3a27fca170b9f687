"""How each database finds what the pages of operations show, in tables too large to read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import plans
from tests.integration.pages import NOW
from z4j_django.models import GroupRecord, Operation, OperationTarget, TaskPayload, TaskRecord
from z4j_django.operations import tallies
from z4j_django.queries import operations
from z4j_django.queries.cursors import Cursor

OPERATIONS = 1000
EACH = 20
TABLES = (TaskRecord, TaskPayload, OperationTarget, Operation)


@pytest.fixture(scope="module")
def _tables(django_db_setup, django_db_blocker):
    """Committed, for MySQL's ANALYZE ends a transaction; cleared at the end."""
    with django_db_blocker.unblock():
        Operation.objects.bulk_create(
            Operation(
                pk=number + 1,
                verb="retry_group" if number % 100 == 0 else "retry",
                state="running" if number % 500 == 0 else "finished",
                parameters={"group_id": f"g{number}"},
                created_at=NOW,
                updated_at=NOW,
            )
            for number in range(OPERATIONS)
        )
        rows = range(OPERATIONS * EACH)
        OperationTarget.objects.bulk_create(
            (
                OperationTarget(
                    operation_id=row // EACH + 1,
                    position=row % EACH,
                    target=f"task-{row // 2}",
                    outcome="failed" if row % EACH == 0 else "done",
                    result_id="" if row % EACH == 0 else f"task-{row}",
                )
                for row in rows
            ),
            batch_size=1000,
        )
        TaskRecord.objects.bulk_create(
            (
                TaskRecord(task_id=f"task-{row}", retry_of=f"task-{row - 1}" if row % 20 else "")
                for row in rows
            ),
            batch_size=1000,
        )
        TaskPayload.objects.bulk_create(
            (
                TaskPayload(task_id=f"task-{row}", sealed=b"x", size=1, created_at=NOW)
                for row in rows
            ),
            batch_size=1000,
        )
        with connection.cursor() as cursor:
            for model in TABLES:
                words = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
                cursor.execute(f"{words} {model._meta.db_table}")
        yield
        for model in TABLES:
            model.objects.all().delete()


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_tables")]


def plan_of(read: Callable[[], object], table: type) -> plans.Plan:
    """The plan of the last query that ``read`` makes of a table."""
    with CaptureQueriesContext(connection) as captured:
        read()
    made = [one["sql"] for one in captured if f"{table._meta.db_table}" in one["sql"]]
    return plans.explain(connection, made[-1])


def test_what_was_done_to_a_task_comes_by_the_task() -> None:
    task = TaskRecord.objects.get(task_id="task-77")
    plan = plan_of(lambda: operations.trail(task), OperationTarget)
    assert "z4j_target_target" in plan.indexes, plan.text
    assert not plan.scans, plan.text


def test_the_retries_of_a_task_come_by_the_task() -> None:
    task = TaskRecord.objects.get(task_id="task-77")
    assert operations.retried_as(task) == ["task-78"]
    plan = plan_of(lambda: operations.retried_as(task), TaskRecord)
    assert "z4j_task_retry" in plan.indexes, plan.text
    assert not plan.scans, plan.text


@pytest.mark.parametrize("outcome", ["", "failed", "done"])
def test_a_page_of_targets_comes_by_the_operation(outcome) -> None:
    operation = Operation.objects.get(pk=7)
    cursor = Cursor(before=3)
    plan = plan_of(lambda: operations.targets(operation, outcome, cursor, 200), OperationTarget)
    assert plan.indexes - {"primary"}, plan.text
    assert not plan.scans, plan.text


def test_the_outcomes_so_far_are_counted_along_their_index() -> None:
    operation = Operation.objects.get(pk=1)
    plan = plan_of(lambda: operations.counts(operation), OperationTarget)
    assert plan.indexes - {"primary"}, plan.text
    assert not plan.scans, plan.text


def test_what_became_of_the_published_tasks_comes_by_their_ids() -> None:
    operation = Operation.objects.get(pk=7)
    assert operations.published(operation) == {"PENDING": EACH - 1}
    plan = plan_of(lambda: operations.published(operation), TaskRecord)
    assert len(plan.indexes - {"primary"}) == 2, plan.text  # one of each table
    assert not plan.scans, plan.text


def test_the_operations_of_a_group_come_by_the_verb() -> None:
    group = GroupRecord(group_id="g100")
    assert [operation.pk for operation in operations.of_group(group)] == [101]
    plan = plan_of(lambda: operations.of_group(group), Operation)
    assert "z4j_operation_verb" in plan.indexes, plan.text
    assert not plan.scans, plan.text


def test_a_search_for_a_task_finds_its_operations_by_the_target() -> None:
    [touched] = operations.ranges(target="task-77")
    found = Operation.objects.filter(touched.whole).order_by("-id")[:51]
    assert [operation.pk for operation in found.all()] == [8]
    plan = plan_of(lambda: list(found.all()), OperationTarget)
    assert "z4j_target_target" in plan.indexes, plan.text
    # MySQL reads the few rows that the target names as a table of their own.
    assert not plan.scans or connection.vendor == "mysql", plan.text
    assert "primary" in plan.indexes or connection.vendor != "mysql", plan.text


def test_what_became_of_many_tasks_comes_by_the_id_of_each() -> None:
    keys = TaskRecord.objects.order_by("-id").values_list("id", flat=True)
    rows = {row.task_id: row for row in tallies.rows_of(keys[:1_000])}
    histories = list(tallies._histories("default", rows))
    assert len(histories) == 1_000
    assert all(kept for _, kept, _, _ in histories)
    assert sum(state is not None for _, _, state, _ in histories) == 950
    plan = plan_of(lambda: list(tallies._histories("default", rows)), TaskPayload)
    assert "z4j_task_retry" in plan.indexes, plan.text
    assert not plan.scans, plan.text
