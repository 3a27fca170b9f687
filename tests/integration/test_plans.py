"""How each database finds the rows of each hot query, on tables too large to be read whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management.color import no_style
from django.db import connection
from django.db.models import Model, Q
from django.test.utils import CaptureQueriesContext

from tests import plans
from z4j_django.models import GroupRecord, TaskEvent, TaskRecord, WorkerRecord
from z4j_django.queries import events, groups, lookups, pages, status, tasks, workers
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.index_ranges import IndexRange, matching

ROWS = 20_000
NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
TOP = Cursor()
#: What the databases call the index of the constraint on project and task id.
UNIQUE = {"z4j_task_project_task_id", "sqlite_autoindex_z4j_django_taskrecord_1"}
TABLES = (TaskRecord, TaskEvent, GroupRecord, WorkerRecord)


def key(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def record(number: int) -> TaskRecord:
    return TaskRecord(
        task_id=key(number),
        name=f"shop.task_{number % 300}",
        state="FAILURE" if number % 50 == 0 else "SUCCESS",
        queue=f"queue_{number % 300}",
        worker="retired@host" if number < ROWS // 20 else f"w{number % 300}@host",
        sent_at=NOW + timedelta(seconds=number),
        root_id=key(number),
        parent_id=key(number - 1) if number % 4 == 1 else "",
        group_id=key(-number + number % 10) if number % 100 < 10 else "",
        group_index=number % 10 if number % 100 < 10 else None,
    )


def flush(*models: type[Model]) -> None:
    """Empty tables; their numbers begin anew, for tests that know a large one."""
    tables = [model._meta.db_table for model in models]
    statements = connection.ops.sql_flush(no_style(), tables, reset_sequences=True)
    connection.ops.execute_sql_flush(statements)


@pytest.fixture(scope="module")
def _tables(django_db_setup, django_db_blocker):
    """Committed, for MySQL's ANALYZE ends a transaction; cleared at the end."""
    with django_db_blocker.unblock():
        TaskRecord.objects.bulk_create(map(record, range(ROWS)), batch_size=1000)
        TaskEvent.objects.bulk_create(
            (
                TaskEvent(task_id=key(number), kind=kind, at=NOW)
                for number in range(ROWS // 4)
                for kind in ("task_sent", "task_received", "task_started", "task_succeeded")
            ),
            batch_size=1000,
        )
        GroupRecord.objects.bulk_create(
            GroupRecord(group_id=key(-number), body_id=key(number), first_seen=NOW)
            for number in range(0, ROWS, 10)
        )
        WorkerRecord.objects.bulk_create(
            WorkerRecord(hostname=f"w{number}@host") for number in range(2000)
        )
        with connection.cursor() as cursor:
            for model in TABLES:
                words = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
                cursor.execute(f"{words} {model._meta.db_table}")
        yield
        flush(*TABLES)


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_tables")]


def plan_of(read: Callable[[], object], table: type = TaskRecord) -> plans.Plan:
    """The plan of the last query that ``read`` makes of a table."""
    with CaptureQueriesContext(connection) as captured:
        read()
    made = [one["sql"] for one in captured if f"{table._meta.db_table}" in one["sql"]]
    return plans.explain(connection, made[-1])


def page(*ranges: IndexRange, cursor: Cursor = TOP) -> Callable[[], object]:
    """A page of the list, as the admin reads it."""
    queryset = tasks.summaries(TaskRecord.objects.all())
    return lambda: pages.read(queryset, cursor, 100, ranges or [IndexRange()])


def having(column: str, value: str, **others: str) -> IndexRange:
    """The rows with a value, of which others may be left out."""
    return IndexRange(Q(**others), column, value)


def middle() -> Cursor:
    return Cursor(before=TaskRecord.objects.order_by("id")[ROWS // 2].pk)


def walks(plan: plans.Plan, *indexes: str) -> bool:
    """Whether it goes along one of the indexes, and reads and sorts nothing whole."""
    return bool(plan.indexes & set(indexes)) and not plan.scans and not plan.sorts


@pytest.fixture
def _in_order() -> None:
    """Of so few rows PostgreSQL as soon takes a bitmap and sorts it; of millions it does not."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_bitmapscan = off")


@pytest.mark.usefixtures("_in_order")
class TestList:
    def test_the_newest_come_by_the_key(self) -> None:
        plan = plan_of(page())
        assert walks(plan, "primary"), plan.text

    def test_a_deep_page_comes_by_the_key(self) -> None:
        plan = plan_of(page(cursor=middle()))
        assert walks(plan, "primary"), plan.text

    @pytest.mark.parametrize(
        ("column", "value", "index"),
        [
            ("state", "FAILURE", "z4j_task_state"),
            ("state", "PENDING", "z4j_task_state"),
            ("name", "shop.task_3", "z4j_task_name"),
            ("name", "shop.unknown", "z4j_task_name"),
            ("queue", "queue_3", "z4j_task_queue"),
            ("worker", "w3@host", "z4j_task_worker"),
        ],
    )
    def test_each_filter_walks_its_index(self, column, value, index) -> None:
        plan = plan_of(page(having(column, value)))
        assert walks(plan, index), plan.text

    def test_successes_are_met_on_the_way_through_the_newest(self) -> None:
        plan = plan_of(page(IndexRange(Q(state="SUCCESS"))))
        assert walks(plan, "primary", "z4j_task_state"), plan.text

    def test_a_filter_goes_on_from_any_page(self) -> None:
        plan = plan_of(page(having("state", "FAILURE"), cursor=middle()))
        assert walks(plan, "z4j_task_state"), plan.text

    def test_a_frequent_value_that_is_old_is_not_looked_for_among_the_newest(self) -> None:
        plan = plan_of(page(having("worker", "retired@host")))
        assert walks(plan, "z4j_task_worker"), plan.text

    def test_the_failures_of_a_name_have_an_index_where_rows_may_be_left_out(self) -> None:
        plan = plan_of(page(having("name", "shop.task_0", state="FAILURE")))
        index = "z4j_task_name" if connection.vendor == "mysql" else "z4j_task_failed"
        assert index in plan.indexes, plan.text
        assert not plan.scans, plan.text


class TestSearch:
    def test_the_beginning_of_an_id_is_a_range_of_the_unique_index(self) -> None:
        searched = tasks.search(TaskRecord.objects.order_by("-id"), key(7)[:8])
        plan = plan_of(lambda: list(searched[:101]))
        assert plan.indexes & UNIQUE, plan.text
        assert not plan.scans, plan.text

    def test_each_name_is_walked_as_far_as_the_page_needs(self) -> None:
        found = tasks.ranges(TaskRecord.objects.all(), "shop.task_7")
        assert len(found) == 12
        plan = plan_of(page(*found))
        assert {"z4j_task_name"} <= plan.indexes <= {"z4j_task_name", "primary", *UNIQUE}, plan.text

    def test_a_group_is_found_by_id_or_body(self) -> None:
        newest = GroupRecord.objects.order_by("-id")
        searched = matching(newest, groups.ranges(newest, key(-10)[:8]))
        plan = plan_of(lambda: list(searched[:101]), GroupRecord)
        assert "z4j_group_body" in plan.indexes, plan.text
        assert not plan.scans, plan.text

    def test_a_worker_is_found_by_its_beginning(self) -> None:
        newest = WorkerRecord.objects.order_by("-id")
        searched = matching(newest, workers.ranges(newest, "w77"))
        plan = plan_of(lambda: list(searched[:101]), WorkerRecord)
        assert not plan.scans, plan.text


def join_indexes() -> None:
    """Let PostgreSQL take the rows of two indexes together, for which it needs bitmaps."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_bitmapscan = on")


@pytest.mark.usefixtures("_in_order")
class TestDetail:
    def test_a_timeline_comes_by_the_task(self) -> None:
        task = TaskRecord.objects.get(task_id=key(7))
        plan = plan_of(lambda: events.timeline(task), TaskEvent)
        assert "z4j_event_task" in plan.indexes, plan.text
        assert not plan.scans, plan.text

    def test_relatives_come_by_their_ids(self) -> None:
        plan = plan_of(lambda: tasks.by_ids("default", (key(1), key(2))))
        assert not plan.scans, plan.text
        assert not plan.sorts, plan.text

    def test_children_come_by_their_parent(self) -> None:
        task = TaskRecord.objects.get(task_id=key(4))
        plan = plan_of(lambda: tasks.family(task))
        assert walks(plan, "z4j_task_parent"), plan.text

    def test_what_is_around_a_task_comes_by_ids(self) -> None:
        join_indexes()
        task = TaskRecord.objects.get(task_id=key(4))
        plan = plan_of(lambda: tasks._around(task, {key(1), key(2)}))
        assert not plan.scans, plan.text

    def test_the_groups_of_a_task_come_by_ids(self) -> None:
        join_indexes()
        task = TaskRecord.objects.exclude(group_id="").first()
        plan = plan_of(lambda: tasks._groups(task), GroupRecord)
        assert not plan.scans, plan.text

    def test_what_other_tables_say_of_a_task_comes_by_their_keys(self) -> None:
        plan = plan_of(lambda: tasks.detailed(TaskRecord.objects.filter(pk=4)).first())
        assert not plan.scans, plan.text

    def test_members_come_by_their_group_in_their_order(self) -> None:
        group = GroupRecord.objects.get(group_id=key(-100))
        plan = plan_of(lambda: groups.members(group))
        assert walks(plan, "z4j_task_group"), plan.text

    def test_the_worker_of_what_is_said_of_a_task_comes_by_its_name(self) -> None:
        rows = list(TaskRecord.objects.order_by("id")[:50])
        for row in rows:
            row.state = "STARTED"  # of what has ended, nothing is asked
        plan = plan_of(lambda: status.tell(rows), WorkerRecord)
        by_name = {
            "z4j_worker_project_hostname",
            "sqlite_autoindex_z4j_django_workerrecord_1",
        }
        assert plan.indexes & by_name, plan.text
        assert not plan.scans, plan.text

    def test_a_workers_newest_tasks_come_by_the_worker(self) -> None:
        worker = WorkerRecord.objects.get(hostname="w3@host")
        plan = plan_of(lambda: workers.recent_tasks(worker))
        assert walks(plan, "z4j_task_worker"), plan.text


class TestChoices:
    @pytest.mark.parametrize("column", ["name", "queue"])
    def test_distinct_values_skip_along_the_index(self, column) -> None:
        plan = plan_of(lambda: lookups.distinct_values(TaskRecord, column, 50))
        assert f"z4j_task_{column}" in plan.indexes, plan.text
        if connection.vendor == "mysql":
            assert "Using index for group-by" in plan.text

    def test_projects_skip_along_the_unique_index(self) -> None:
        plan = plan_of(lambda: lookups.projects(TaskRecord))
        assert plan.indexes & UNIQUE, plan.text
