"""Any text is stored, whatever character set a database of MySQL or MariaDB was made in."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models

from tests.integration.test_writer import event, part
from z4j_django import checks
from z4j_django.agent import events, journal
from z4j_django.agent.shipper import Shipper
from z4j_django.models import TaskRecord
from z4j_django.models.fields import AnyCharField, AnyTextField
from z4j_django.store.writer import DatabaseSink

pytestmark = pytest.mark.django_db(transaction=True)

APP = "z4j_django"
CRAB = "no \N{CRAB} today"


def failed(task_id: str, text: str) -> events.TaskEvent:
    failure = events.Failure("ValueError", text)
    return event(events.TASK_FAILED, 2.0, task_id=task_id, failure=failure, worker="w@h")


def mysql(statement: str) -> None:
    """Say something that only MySQL and MariaDB need to be told."""
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.fixture
def _made_in_utf8mb3() -> Iterator[None]:
    """Tables that were made in a database whose default can't hold an emoji."""
    name = connection.settings_dict["NAME"]
    call_command("migrate", APP, "zero", verbosity=0)
    mysql(f"ALTER DATABASE `{name}` CHARACTER SET utf8mb3")
    call_command("migrate", APP, verbosity=0)
    yield
    mysql(f"ALTER DATABASE `{name}` CHARACTER SET utf8mb4")


@pytest.mark.usefixtures("_made_in_utf8mb3")
def test_the_tables_hold_any_text_whatever_the_databases_default_is() -> None:
    assert checks.check_character_sets(databases=["default"]) == []
    failure = events.Failure(CRAB, CRAB, CRAB)
    DatabaseSink().apply([part([event(events.TASK_FAILED, 1.0, failure=failure, worker=CRAB)])])
    row = TaskRecord.objects.get()
    assert {row.worker, row.exception_type, row.exception_message, row.traceback} == {CRAB}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL's types")
def test_identifiers_are_compared_by_their_bytes_and_their_types_make_arrays() -> None:
    """Before 5.2.11, Django inserts many rows with arrays of the types as a field has them."""
    field = TaskRecord._meta.get_field("task_id")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT collation_name FROM information_schema.columns "
            "WHERE table_name = %s AND column_name = 'task_id'",
            [TaskRecord._meta.db_table],
        )
        assert cursor.fetchall() == [("C",)]
        cursor.execute(f"SELECT '{{}}'::{field.db_type(connection)}[]")
        assert cursor.fetchall() == [([],)]


def test_no_column_leaves_its_character_set_to_the_database() -> None:
    columns = [
        field for model in apps.get_app_config(APP).get_models() for field in model._meta.fields
    ]
    text = [field for field in columns if isinstance(field, models.CharField | models.TextField)]
    assert [field for field in text if not isinstance(field, AnyCharField | AnyTextField)] == []


@pytest.fixture
def _one_narrow_column() -> Iterator[None]:
    """A table of a version that left the character set to the database."""
    mysql(
        "ALTER TABLE z4j_django_taskrecord MODIFY exception_message longtext "
        "CHARACTER SET utf8mb3 NOT NULL"
    )
    yield
    call_command("migrate", APP, "zero", verbosity=0)
    call_command("migrate", APP, verbosity=0)


@pytest.mark.usefixtures("_one_narrow_column")
def test_a_column_that_can_not_hold_every_text_is_told_with_what_mends_it() -> None:
    found = checks.check_character_sets(databases=["default"])
    if connection.vendor != "mysql":
        assert found == []
        return
    [warning] = found
    assert warning.id == "z4j_django.W007"
    assert "every text: z4j_django_taskrecord.exception_message. Of" in warning.msg
    mysql(warning.hint.removeprefix("Run: "))
    assert checks.check_character_sets(databases=["default"]) == []
    DatabaseSink().apply([part([failed("a", CRAB)])])
    assert TaskRecord.objects.get().exception_message == CRAB


@pytest.mark.usefixtures("_one_narrow_column")
def test_one_text_that_a_column_can_not_hold_stops_nothing_and_loses_no_end(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    written = journal.Journal(tmp_path, "shop")
    for number in range(5):
        text = CRAB if number == 3 else f"no {number}"
        written.write(events.encode(failed(str(number), text)))
    assert Shipper(tmp_path, DatabaseSink()).drain(30.0)
    found = dict(TaskRecord.objects.values_list("task_id", "exception_message"))
    whole = CRAB if connection.vendor != "mysql" else events.REFUSED
    assert found == {"0": "no 0", "1": "no 1", "2": "no 2", "3": whole, "4": "no 4"}
    row = TaskRecord.objects.get(task_id="3")
    assert (row.state, row.exception_type, row.worker) == ("FAILURE", "ValueError", "w@h")
    assert row.finished_at == datetime.datetime.fromtimestamp(2.0, datetime.UTC)
