"""``z4j_tasks``: which tasks, which columns, and what is said of how they were found."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration.pages import NOW, task
from z4j_django.management.commands import z4j_tasks
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import pages, tasks

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, str, str]:
    """The exit code, what was printed, and what was noted beside it."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("z4j_tasks", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def fails(*arguments: str) -> tuple[int, str]:
    with pytest.raises(CommandError) as raised:
        run(*arguments)
    return raised.value.returncode, str(raised.value)


def found(*arguments: str) -> list[str]:
    code, shown, _ = run(*arguments, "--fields", "task_id", "--ndjson")
    assert code == 0
    return [json.loads(line)["task_id"] for line in shown.splitlines()]


@pytest.fixture
def _shop() -> None:
    for number, (name, state) in enumerate(
        [("shop.pay", "FAILURE"), ("shop.ship", "FAILURE"), ("shop.pay", "SUCCESS")]
    ):
        task(f"t{number}", name=name, state=state, queue="mail", sent_at=NOW, runtime=float(number))


@pytest.mark.usefixtures("_shop")
class TestWhich:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ((), ["t2", "t1", "t0"]),
            (("state:FAILURE",), ["t1", "t0"]),
            (("state:FAILURE", "name:shop.p*"), ["t0"]),
            (("state:FAILURE name:shop.p*",), ["t0"]),
            (("ship",), ["t1"]),
            (("queue:mail -name:shop.pay",), ["t1"]),
            (("runtime:>=1",), ["t2", "t1"]),
            (("name:none",), []),
        ],
    )
    def test_a_filter_finds_them_the_newest_first(self, given, expected) -> None:
        assert found(*given) == expected

    @pytest.mark.parametrize(
        ("ordering", "expected"),
        [("-id", ["t2", "t1", "t0"]), ("id", ["t0", "t1", "t2"]), ("sent_at", ["t1", "t0", "t2"])],
    )
    def test_they_come_in_the_order_asked_for(self, ordering, expected) -> None:
        for number, hours in enumerate((2, 3, 1)):
            sent_at = NOW - timedelta(hours=hours)
            TaskRecord.objects.filter(task_id=f"t{number}").update(sent_at=sent_at)
        assert found(f"--ordering={ordering}") == expected

    def test_those_of_another_project_are_listed_where_it_is_named(self) -> None:
        task("x", project="other", name="shop.pay")
        assert "x" not in found()
        assert found("--project", "other") == ["x"]
        assert found("project:other") == ["x"]
        assert found("project:other", "--project", "default") == []

    def test_no_more_are_listed_than_asked_for(self) -> None:
        assert found("--limit", "2") == ["t2", "t1"]
        _, shown, notes = run("--limit", "2", "--json")
        assert json.loads(shown)["more"] is True
        assert notes == "There may be more than these 2: see --limit.\n"
        _, shown, notes = run("--limit", "3", "--json")
        assert json.loads(shown)["more"] is False
        assert notes == ""

    def test_more_than_are_read_at_once_are_listed(self, monkeypatch) -> None:
        monkeypatch.setattr(z4j_tasks, "_PAGE", 2)
        assert found() == ["t2", "t1", "t0"]
        assert found("--ordering=sent_at") == ["t0", "t1", "t2"]


class TestForm:
    def test_the_columns_of_the_table_are_aligned(self) -> None:
        task("a", name="shop.pay", state="FAILURE", queue="mail", sent_at=NOW, runtime=1.5)
        task("b" * 36, name="shop.resize_image", state="PENDING")
        _, shown, _ = run()
        lines = shown.splitlines()
        assert lines[0].split() == [
            "state", "status", "name", "task_id", "queue", "worker", "sent_at", "runtime",
        ]  # fmt: skip
        assert lines[2].split() == [
            "FAILURE", "-", "shop.pay", "a", "mail", "-", "2026-03-04", "12:00:00", "1.500",
        ]  # fmt: skip
        assert len({line.index("shop.") for line in lines[1:]}) == 1
        assert [line.index("b" * 36) for line in lines[1:2]] == [lines[0].index("task_id")]

    def test_without_tasks_there_are_only_the_names_of_the_columns(self) -> None:
        assert run("--fields", "name,state") == (0, "name  state\n", "")

    def test_the_fields_are_those_that_are_named_in_their_order(self) -> None:
        one = task("a", args=[1, {"x": "****"}], name="shop.pay")
        _, shown, _ = run("--fields", "row, args,name,row", "--ndjson")
        assert list(json.loads(shown).items()) == [
            ("row", one.pk), ("args", [1, {"x": "****"}]), ("name", "shop.pay"),
        ]  # fmt: skip
        assert run("--fields", "args")[1].splitlines()[1] == '[1, {"x": "****"}]'

    def test_the_document_has_all_but_the_large_columns(self) -> None:
        task("a", sent_at=NOW, runtime=0.25)
        _, shown, _ = run("state:PENDING", "--json")
        document = json.loads(shown)
        assert document["filter"] == "state:PENDING project:default"
        assert document["ordering"] == "-id"
        (only,) = document["tasks"]
        assert only["sent_at"] == "2026-03-04T12:00:00.000000Z"
        assert only["runtime"] == 0.25
        assert only["row"] == TaskRecord.objects.get().pk
        assert only.keys().isdisjoint({*tasks.HEAVY_FIELDS, "id", "attempt", "state_order"})

    def test_only_the_columns_that_are_shown_are_read(self) -> None:
        for number in range(3):
            task(str(number), args=[1], traceback="x")
        with CaptureQueriesContext(connection) as captured:
            run("--fields", "name,sent_at")
        sql = " ".join(one["sql"] for one in captured)
        assert "traceback" not in sql
        assert sum("z4j_django_taskrecord" in one["sql"] for one in captured) <= 2

    def test_what_a_terminal_would_obey_is_spelled_out(self) -> None:
        task("a", name="\x1b[2Jshop\r\n\u202epay\u00e9")
        task("b", result={"a": "\x9b31m"})
        shown = run("--fields", "name,result,task_id")[1]
        assert "\\x1b[2Jshop\\r\\n\\u202epayé" in shown
        assert not {"\x1b", "\r", "\u202e", "\x9b"} & set(shown)
        assert len(shown.splitlines()) == 3
        for form in ("--json", "--ndjson"):
            assert run("--fields", "name", form)[1].isascii()

    def test_a_long_cell_is_cut_and_a_document_has_all_of_it(self) -> None:
        task("a", traceback="x" * 5000)
        assert run("--fields", "traceback")[1].splitlines()[1] == "x" * 79 + "…"
        assert json.loads(run("--fields", "traceback", "--ndjson")[1])["traceback"] == "x" * 5000


class TestNotes:
    @pytest.fixture(autouse=True)
    def _some(self) -> None:
        for number in range(12):
            task(f"{number:02}", runtime=9.0 if number == 3 else 1.0)

    def test_a_term_without_an_index_is_named(self, monkeypatch) -> None:
        monkeypatch.setattr(pages, "WINDOW", 5)
        code, shown, notes = run("runtime:>5s", "retries:0", "--json")
        assert code == 0
        document = json.loads(shown)
        assert [one["task_id"] for one in document["tasks"]] == ["03"]
        assert notes.startswith("Without an index: runtime:>5s, retries:0. ")
        assert document["notes"] == notes.splitlines()

    def test_one_beside_an_index_is_not(self) -> None:
        assert run("runtime:>5s", "state:PENDING")[2] == ""

    def test_looking_for_them_is_given_up_after_a_bound(self, monkeypatch) -> None:
        monkeypatch.setattr(pages, "WINDOW", 2)
        monkeypatch.setattr(pages, "EXAMINED_LIMIT", 6)
        code, shown, notes = run("runtime:>5s", "--json")
        document = json.loads(shown)
        assert code == 1
        assert document["tasks"] == []
        assert document["more"] is True
        assert notes.splitlines()[-1] == "Given up after 6 tasks were looked through."
        assert document["notes"] == notes.splitlines()


class TestRefusals:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (("state:FAILURE runtime:>5x",), 'At 15, "runtime:>5x": expected a length of time'),
            (("state:FAILURE", "runtime:>5x"), 'At 15, "runtime:>5x": expected a length of time'),
            (("stat:FAILURE",), 'At 1, "stat:FAILURE": expected one of state, '),
            (('name:"open',), 'At 1, "name:"open": expected a second quote'),
            (("--fields", "name,secret"), "There is no field 'secret'; the fields are row, "),
            (("--fields", ""), "There is no field ''; the fields are row, "),
            (("--limit", "0"), "--limit is a number from 1 to 10,000."),
            (("--limit", "10001"), "--limit is a number from 1 to 10,000."),
            (("--limit", "x"), "Error: argument --limit"),
            (("--ordering=runtime",), "Error: argument --ordering"),
            (("--json", "--ndjson"), "Error: argument --ndjson"),
            (("x" * 2001,), "At 1, "),
        ],
    )
    def test_what_makes_no_sense_ends_it_with_2(self, given, message) -> None:
        task("a")
        code, text = fails(*given)
        # Called from Python, argparse's own mistakes have the code of any error.
        assert code == (1 if message.startswith("Error") else 2)
        assert text.startswith(message)

    def test_a_database_that_does_not_answer_ends_it_with_1(self, monkeypatch) -> None:
        def away(*args: object, **given: object) -> None:
            raise DatabaseError("it is away")

        monkeypatch.setattr(filters.Filter, "page", away)
        assert fails() == (1, "The database did not do it: it is away")


class TestShell:
    """As it is called from a shell."""

    def printed(self, capsys, *arguments: str) -> str:
        z4j_tasks.Command().run_from_argv(["manage.py", "z4j_tasks", *arguments])
        return capsys.readouterr().out

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (("-name:shop.pay",), "b a"),
            (("-name:shop.pay", "-queue:mail"), "b"),
            (("queue:mail", "-name:shop.pay"), "a"),
            (("-pay",), "b a"),
            (("--ordering", "-sent_at"), "b c a"),
            (("--ordering", "-sent_at", "-name:shop.pay"), "b a"),
            (("-v", "0", "queue:mail"), "c a"),
            (("-v0", "queue:mail"), "c a"),
        ],
        ids=str,
    )
    def test_what_begins_with_a_hyphen_is_no_option(self, capsys, given, expected) -> None:
        now = timezone.now()
        task("a", name="shop.ship", queue="mail", sent_at=now - timedelta(hours=3))
        task("c", name="shop.pay", queue="mail", sent_at=now - timedelta(hours=2))
        task("b", name="shop.ship", sent_at=now - timedelta(hours=1))
        shown = self.printed(capsys, *given, "--fields", "task_id")
        assert " ".join(shown.split()[1:]) == expected

    def test_a_wrong_option_is_still_one(self, capsys) -> None:
        with pytest.raises(SystemExit) as end:
            self.printed(capsys, "--nonsense")
        assert end.value.code == 2

    def test_a_mistake_is_one_line_and_code_2(self, capsys) -> None:
        with pytest.raises(SystemExit) as end:
            self.printed(capsys, "runtime:>5x")
        assert end.value.code == 2
        assert '"runtime:>5x": expected a length of time' in capsys.readouterr().err
