from __future__ import annotations

from io import StringIO

import pytest
from django.core import checks
from django.core.management import call_command
from django.db import connection
from django.db.migrations import AddField, AddIndex
from django.db.migrations.loader import MigrationLoader

from z4j_django.models import TaskEvent, TaskRecord

APP = "z4j_django"
#: Those that change what is said of columns, or how full pages are, and no table.
OF_WORDS = {"0005_words", "0008_full_pages", "0009_steering"}
NAMES = sorted(name for app, name in MigrationLoader(None).disk_migrations if app == APP)


def indexes() -> dict[str, dict[str, list[str]]]:
    """The columns of the indexes of each of the app's tables; and without a name, all of them."""
    with connection.cursor() as cursor:
        introspection = connection.introspection
        tables = [name for name in introspection.table_names(cursor) if name.startswith(APP)]
        found = {table: introspection.get_constraints(cursor, table) for table in tables}
        columns = {
            table: [one.name for one in introspection.get_table_description(cursor, table)]
            for table in tables
        }
    return {
        table: {"": columns[table]}
        | {name: one["columns"] for name, one in constraints.items() if one["index"]}
        for table, constraints in found.items()
    }


class TestNames:
    def test_they_follow_each_other_and_say_what_they_do(self) -> None:
        assert [name[:4] for name in NAMES] == [f"{n:04d}" for n in range(1, len(NAMES) + 1)]
        assert not any("auto" in name for name in NAMES)

    @pytest.mark.parametrize("name", [name for name in NAMES if name > "0004"])
    def test_no_index_is_built_while_a_new_column_locks_the_table(self, name) -> None:
        steps = MigrationLoader(None).disk_migrations[APP, name].operations
        widened, indexed = (
            {step.model_name for step in steps if isinstance(step, kind)}
            for kind in (AddField, AddIndex)
        )
        assert not widened & indexed


@pytest.mark.django_db(transaction=True)
class TestSteps:
    @pytest.fixture(autouse=True)
    def _whole_again(self):
        yield
        call_command("migrate", APP, verbosity=0)

    @pytest.mark.parametrize("position", range(len(NAMES)), ids=NAMES)
    def test_each_goes_forward_and_back_and_leaves_what_was_there(self, position) -> None:
        before = NAMES[position - 1] if position else "zero"
        call_command("migrate", APP, before, verbosity=0)
        first = indexes()
        call_command("migrate", APP, NAMES[position], verbosity=0)
        assert (indexes() == first) == (NAMES[position] in OF_WORDS)
        call_command("migrate", APP, before, verbosity=0)
        assert indexes() == first


@pytest.mark.django_db
class TestState:
    def test_the_models_ask_for_no_further_migration(self) -> None:
        call_command("makemigrations", APP, check=True, dry_run=True, stdout=StringIO())

    @pytest.mark.parametrize("model", [TaskRecord, TaskEvent])
    def test_the_tables_have_the_indexes_of_the_models_and_no_others(self, model) -> None:
        named = {name for name in indexes()[model._meta.db_table] if name.startswith("z4j_")}
        named -= {name for name in named if name.startswith(APP)}
        named -= {constraint.name for constraint in model._meta.constraints}
        expected = {index.name for index in model._meta.indexes}
        if model is TaskRecord and connection.vendor != "mysql":
            # Not on every database, and so in the migration alone.
            expected.add("z4j_task_failed")
        assert named == expected

    def test_only_the_events_numbers_fill_their_pages(self) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("other databases know of no such")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname, reloptions FROM pg_class "
                "WHERE reloptions IS NOT NULL AND relname LIKE 'z4j_%'"
            )
            found = cursor.fetchall()
        assert found == [("z4j_django_taskevent_pkey", ["fillfactor=100"])]

    def test_only_postgresql_leaves_rows_out(self) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("the indexes are whole on other databases")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
                "WHERE indpred IS NOT NULL AND relname LIKE 'z4j_%' ORDER BY relname"
            )
            found = [row[0] for row in cursor.fetchall()]
        assert found == [
            "z4j_task_error",
            "z4j_task_failed",
            "z4j_task_group",
            "z4j_task_parent",
            "z4j_task_retry",
            "z4j_task_root",
            "z4j_task_schedule",
            "z4j_task_state",
            "z4j_task_trace",
            "z4j_task_worker",
        ]

    def test_no_database_warns_of_an_index(self) -> None:
        assert not checks.run_checks(databases=["default"], tags=["models"])
