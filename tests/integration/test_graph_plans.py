"""How each database finds a workflow, and the pages of the nouns, in tables too large to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import plans
from tests.integration.pages import NOW
from z4j_django.models import GroupRecord, Operation, TaskRecord, WorkerRecord
from z4j_django.queries import graphs, groups, operations, pages, workers
from z4j_django.queries.cursors import Cursor

ROWS = 20_000
#: Tasks of the one root that has very many, the last that came.
MANY = 5_000
TABLES = (TaskRecord, GroupRecord, WorkerRecord, Operation)
#: What the databases call the index of a constraint.
UNIQUE = {
    "z4j_task_project_task_id",
    "sqlite_autoindex_z4j_django_taskrecord_1",
    "z4j_group_project_group_id",
    "sqlite_autoindex_z4j_django_grouprecord_1",
}


def record(number: int) -> TaskRecord:
    """Most are their own root; each fiftieth has published the next; the last have one root."""
    child = number % 50 == 1
    own = f"task-{number}"
    root = f"task-{number - 1}" if child else own
    if number >= ROWS - MANY:
        root, child = "task-0", True
    return TaskRecord(
        task_id=own,
        root_id=root,
        parent_id=root if child else "",
        # Groups of 400 whose members are their own roots.
        group_id=f"group-{number // 400}" if 4_000 <= number < 8_000 else "",
        group_index=number % 400 if 4_000 <= number < 8_000 else None,
        retry_of=f"task-{number - 7}" if number % 100 == 9 else "",
        state="SUCCESS",
    )


@pytest.fixture(scope="module")
def _tables(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Committed, for MySQL's ANALYZE ends a transaction; cleared at the end."""
    with django_db_blocker.unblock():
        TaskRecord.objects.bulk_create(map(record, range(ROWS)), batch_size=1000)
        GroupRecord.objects.bulk_create(
            GroupRecord(group_id=f"group-{number}", body_id=f"body-{number}", first_seen=NOW)
            for number in range(ROWS)
        )
        WorkerRecord.objects.bulk_create(
            WorkerRecord(hostname=f"w{number}@host") for number in range(ROWS // 4)
        )
        Operation.objects.bulk_create(
            Operation(
                verb="retry" if number % 50 else "purge_queue",
                state="finished" if number % 500 else "running",
                created_at=NOW,
                updated_at=NOW,
            )
            for number in range(ROWS // 4)
        )
        with connection.cursor() as cursor:
            for model in TABLES:
                words = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
                cursor.execute(f"{words} {model._meta.db_table}")
        yield
        for model in TABLES:
            model.objects.all().delete()


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_tables")]


def statements(read: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        read()
    return [one["sql"] for one in captured if "z4j_django_" in one["sql"]]


@pytest.fixture
def _large() -> None:
    """Of so few rows PostgreSQL as soon reads all that there are; of millions it does not."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")


@pytest.mark.usefixtures("_large")
class TestGraph:
    @pytest.mark.parametrize(
        "start", ["task-100", "task-101", "task-0", "task-19999", "task-4001", "task-9"]
    )
    def test_no_query_of_a_task_reads_a_table(self, start: str) -> None:
        made = statements(lambda: graphs.of_task("default", start))
        assert made
        for sql in made:
            plan = plans.explain(connection, sql)
            assert not plan.scans, f"{sql[-300:]}\n{plan.text}"

    def test_a_large_group_of_which_each_member_is_a_root(self) -> None:
        made = statements(lambda: graphs.of_group("default", "group-12"))
        for sql in made:
            plan = plans.explain(connection, sql)
            assert not plan.scans, f"{sql[-300:]}\n{plan.text}"

    def test_the_tasks_of_a_root_come_by_it_in_their_order(self) -> None:
        for start in ("task-0", "task-100"):
            made = statements(lambda start=start: graphs.of_task("default", start))
            plan = next(
                plans.explain(connection, sql) for sql in made if ".`root_id` >=" in quoted(sql)
            )
            assert "z4j_task_root" in plan.indexes, plan.text
            assert not plan.sorts, plan.text

    def test_of_a_frequent_root_no_more_is_read_than_a_graph_may_have(self) -> None:
        found = graphs.of_task("default", "task-0")
        assert found is not None
        assert found.more
        assert [node.task_id for node in found.nodes][:2] == ["task-0", "task-1"]
        assert len(found.nodes) == graphs.LIMIT

    def test_members_and_retries_come_by_their_indexes(self) -> None:
        made = statements(lambda: graphs.of_group("default", "group-12"))
        plans_of = [plans.explain(connection, sql) for sql in made]
        used = frozenset().union(*(plan.indexes for plan in plans_of))
        assert {"z4j_task_group", "z4j_task_retry", "z4j_task_root", "z4j_group_body"} <= used
        assert used & UNIQUE


def quoted(sql: str) -> str:
    return sql.replace('"', "`")


@pytest.mark.usefixtures("_large")
class TestPages:
    def walks(self, read: Callable[[], object], *indexes: str) -> None:
        made = statements(read)
        assert made
        for sql in made:
            plan = plans.explain(connection, sql)
            assert plan.indexes & set(indexes), f"{sql}\n{plan.text}"
            if connection.vendor == "postgresql":  # the others scan what a window holds, too
                assert not plan.scans, f"{sql}\n{plan.text}"

    @pytest.mark.parametrize("place", [Cursor(), Cursor(before=ROWS // 8), Cursor(after=ROWS // 8)])
    def test_groups_and_workers_come_by_their_key(self, place: Cursor) -> None:
        ours = GroupRecord.objects.filter(project="default")
        self.walks(lambda: pages.read(ours, place, 50), "primary")
        self.walks(lambda: pages.read(workers.wanted("default"), place, 50), "primary")

    def test_of_workers_that_nobody_has_a_window_is_looked_through(self) -> None:
        wanted = workers.wanted("default", beginning="nobody", online=True)
        self.walks(lambda: pages.read(wanted, Cursor(), 50), "primary")

    @pytest.mark.parametrize("text", ["group-19999", "body-19999"])
    def test_a_group_is_found_by_its_beginning_or_its_body(self, text: str) -> None:
        ours = GroupRecord.objects.filter(project="default")
        ways = groups.ranges(ours, text)
        [found] = pages.read(ours, Cursor(), 50, ways).rows
        assert found.group_id == "group-19999"
        self.walks(lambda: pages.read(ours, Cursor(), 50, ways), "z4j_group_body", *UNIQUE)

    @pytest.mark.parametrize(
        ("verb", "state", "index"),
        [
            ("purge_queue", "", "z4j_operation_verb"),
            ("purge_queue", "finished", "z4j_operation_verb"),
            ("", "running", "z4j_operation_state"),
            ("retry", "running", "z4j_operation_state"),
            ("restore", "", "z4j_operation_verb"),
            ("", "finished", "primary"),
        ],
    )
    def test_operations_come_by_what_promises_most(self, verb, state, index) -> None:
        given = {name: value for name, value in (("verb", verb), ("state", state)) if value}
        wanted = Operation.objects.filter(project="default", **given)
        ways = operations.ranges(verb, state)
        self.walks(lambda: pages.read(wanted, Cursor(), 50, ways), index)
