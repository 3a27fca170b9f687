"""``z4j_retry`` and ``z4j_cancel``: who, which, whether, and what came of it."""

from __future__ import annotations

import io
import json
import sys
import uuid
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from tests.integration import operators
from z4j_django.control import remote_control
from z4j_django.models import Operation, TaskRecord

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> str:
    operators.broker_in_memory(monkeypatch)
    monkeypatch.setattr(remote_control, "look", lambda app, ids, **given: {"w1": {}})
    monkeypatch.setattr(
        remote_control, "revoke", lambda app, ids, **given: {"w1": remote_control.Reply()}
    )
    return f"mail-{uuid.uuid4().hex}"


class Terminal(io.StringIO):
    """A terminal, on which somebody has typed already."""

    def isatty(self) -> bool:
        return True


def run(*arguments: str) -> tuple[int, str]:
    """The exit code, and what was printed."""
    out = io.StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def fails(*arguments: str) -> tuple[int, str]:
    """The exit code and the text of an error."""
    with pytest.raises(CommandError) as raised:
        run(*arguments)
    return raised.value.returncode, str(raised.value)


def test_what_was_done_is_printed_for_each_task(queue: str) -> None:
    operators.kept("a", queue=queue)
    code, shown = run("z4j_retry", "a", "--yes")
    operation = Operation.objects.get()
    assert code == 0
    assert f"a -> {operation.targets.get().result_id}  done" in shown
    assert "finished; 1 total, 1 done." in shown
    assert (operation.surface, operation.total) == ("command", 1)
    assert operation.actor.endswith("(manage.py)")


def test_what_was_refused_ends_it_with_1(queue: str) -> None:
    operators.kept("a", queue=queue)
    code, shown = run("z4j_retry", "a", "nobody", "--yes", "--json")
    assert code == 1
    found = json.loads(shown)
    assert (found["total"], found["done"], found["refused"]) == (2, 1, 1)
    assert [target["outcome"] for target in found["targets"]] == ["done", "refused"]
    assert found["targets"][1]["reason"] == "No task of this id is on record."


def test_a_filter_finds_the_tasks(queue: str) -> None:
    operators.kept("a", queue=queue)
    operators.kept("b", queue=queue, name="shop.other")
    code, shown = run("z4j_retry", "--state", "FAILURE", "--name", "shop.pay", "--yes", "--json")
    assert code == 0
    found = json.loads(shown)
    assert [target["target"] for target in found["targets"]] == ["a"]
    assert {"state": "FAILURE", "name": "shop.pay"}.items() <= found["selection"].items()


def test_a_search_is_a_filter_of_the_one_grammar(queue: str) -> None:
    operators.kept("a", 42, queue=queue, kwargs={"user_id": 42})
    operators.kept("b", 7, queue=queue, kwargs={"user_id": 7})
    search = "kwargs.user_id:42 -name:celery.* sent:>2h"
    code, shown = run("z4j_retry", "--queue", queue, "--search", search, "--yes", "--json")
    found = json.loads(shown)
    assert [target["target"] for target in found["targets"]] == ["a"]
    assert code == 0
    assert found["selection"]["search"] == search
    assert found["selection"]["asked_at"]


def test_words_are_searched_for_as_before(queue: str) -> None:
    operators.kept("abcd-1", queue=queue)
    operators.kept("b", queue=queue, name="shop.other")
    for words, expected in (("abcd", ["abcd-1"]), ("other", ["b"])):
        _, shown = run("z4j_retry", "--search", words, "--dry-run", "--json")
        assert [target["target"] for target in json.loads(shown)["targets"]] == expected


@pytest.mark.parametrize("command", ["z4j_retry", "z4j_cancel"])
def test_a_mistake_in_the_search_is_named_with_its_place(queue: str, command: str) -> None:
    operators.kept("a", queue=queue)
    code, text = fails(command, "--search", "state:FAILURE runtime:>5x", "--yes")
    assert code == 2
    assert text.startswith('At 15, "runtime:>5x": expected a length of time, such as ')
    assert not Operation.objects.exists()


@pytest.mark.parametrize("way", ["--yes", "--dry-run"])
def test_a_search_without_an_index_is_refused(queue: str, way: str) -> None:
    operators.kept("a", queue=queue)
    code, text = fails("z4j_retry", "--search", "retries:0", way)
    assert code == 1
    assert text.startswith("retries:0: there is no index for this.")
    assert not Operation.objects.exists()


def test_options_are_handed_on(queue: str) -> None:
    operators.kept("a", 1, queue=queue, name="known.to.nobody")
    options = ("--args", "[2]", "--kwargs", '{"n": 3}', "--to-queue", f"{queue}-x")
    run("z4j_retry", "a", *options, "--countdown", "5", "--expires", "60", "--force", "--yes")
    assert Operation.objects.get().parameters == {
        "args": [2],
        "kwargs": {"n": 3},
        "queue": f"{queue}-x",
        "countdown": 5.0,
        "expires": 60.0,
        "force": True,
    }


def test_a_dry_run_does_nothing_and_says_what_would_be_done(queue: str) -> None:
    operators.kept("a", queue=queue)
    code, shown = run("z4j_retry", "a", "nobody", "--dry-run")
    assert code == 1
    assert "a  would be done" in shown
    assert "nobody  refused  No task of this id is on record." in shown
    assert "Nothing was done. 1 of 2 could be." in shown
    code, shown = run("z4j_retry", "--state", "FAILURE", "--dry-run", "--json")
    assert code == 0
    assert json.loads(shown)["targets"] == [{"target": "a", "outcome": "done", "reason": ""}]
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("typed", "operations"), [("y\n", 1), ("YES\n", 1), ("n\n", 0), ("\n", 0), ("", 0)]
)
def test_it_asks_first(
    queue: str, monkeypatch: pytest.MonkeyPatch, typed: str, operations: int
) -> None:
    operators.kept("a", queue=queue)
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    if operations:
        run("z4j_retry", "a")
    else:
        assert fails("z4j_retry", "a") == (1, "Nothing was done.")
    assert Operation.objects.count() == operations


def test_a_database_that_does_not_answer_is_told_in_words_when_it_asks_who_acts(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any) -> None:
        raise DatabaseError("it is away")

    monkeypatch.setattr(operators.User._default_manager, "get_by_natural_key", away)
    for command in ("z4j_retry", "z4j_retry_group"):
        assert fails(command, "a", "--actor", "alice", "--yes") == (
            1,
            "The database did not do it: it is away",
        )


def test_without_a_terminal_it_wants_to_be_told(queue: str, monkeypatch: Any) -> None:
    operators.kept("a", queue=queue)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    code, text = fails("z4j_retry", "a")
    assert code == 2
    assert "--yes" in text
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("z4j_retry",),
        ("z4j_cancel",),
        ("z4j_retry", "a", "--state", "FAILURE"),
        ("z4j_retry", "--name", "x" * 300),
        ("z4j_retry", "a", "--rate", "5"),
        ("z4j_retry", "a", "--args", "{}"),
        ("z4j_retry", "a", "--args", "nonsense"),
        ("z4j_retry", "a", "--kwargs", "[]"),
        ("z4j_retry", "--state", "FAILURE", "--args", "[]"),
        ("z4j_cancel", "a", "--signal", "SIGTERM"),
        ("z4j_retry", "a", "--actor", "nobody"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_ends_it_with_2(queue: str, arguments: tuple[str, ...]) -> None:
    code, text = fails(*arguments, "--yes")
    assert code == 2
    assert text
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("z4j_retry", "a", "--countdown", "-1"),
        ("z4j_retry", "a", "--countdown", "1", "--eta", "2026-01-01"),
        ("z4j_retry", "a", "--eta", "soon"),
        ("z4j_retry", "a", "--expires", "never"),
        ("z4j_cancel", "a", "--terminate", "--signal", "SIGSTOP"),
        ("z4j_cancel", "x\0y"),
    ],
    ids=repr,
)
def test_what_is_refused_as_a_whole_ends_it_with_1(queue: str, arguments: tuple[str, ...]) -> None:
    operators.kept("a", queue=queue)
    assert fails(*arguments, "--yes")[0] == 1
    assert not Operation.objects.exists()


def test_an_actor_has_that_users_permissions_and_name(queue: str) -> None:
    operators.kept("a", queue=queue)
    user = operators.User.objects.create_user("alice")
    code, text = fails("z4j_retry", "a", "--actor", "alice", "--yes")
    assert code == 1
    assert "z4j_django.retry_task is missing" in text
    assert fails("z4j_retry", "a", "--actor", "alice", "--dry-run")[1] == text
    operators.grant(user, "retry_task")
    assert run("z4j_retry", "a", "--actor", "alice", "--yes")[0] == 0
    assert Operation.objects.get().actor == "alice"


def test_another_projects_tasks_are_left_to_that_project(queue: str) -> None:
    operators.kept("a", queue=queue, project="other")
    assert run("z4j_retry", "a", "--yes")[0] == 1
    code, text = fails("z4j_retry", "a", "--project", "other", "--yes")
    assert code == 1
    assert "Tasks of the project other are operated from there" in text
    assert Operation.objects.count() == 1


def test_tasks_are_cancelled_by_a_filter(queue: str) -> None:
    for task_id in ("a", "b"):
        TaskRecord.objects.create(task_id=task_id, state="PENDING", queue=queue)
    code, shown = run("z4j_cancel", "--queue", queue, "--yes")
    assert code == 0
    assert shown.count("It was PENDING; w1 confirmed to refuse it.") == 2
    assert Operation.objects.get().verb == "cancel"


def test_terminate_is_an_operation_of_its_own(queue: str) -> None:
    TaskRecord.objects.create(task_id="a", state="PENDING", queue=queue)
    code, _ = run("z4j_cancel", "a", "--terminate", "--signal", "kill", "--yes")
    assert code == 0
    operation = Operation.objects.get()
    assert (operation.verb, operation.parameters) == ("terminate", {"signal": "SIGKILL"})


def test_more_than_a_hundred_ids_are_shown_in_part(queue: str) -> None:
    ids = [f"t{number:03}" for number in range(101)]
    TaskRecord.objects.bulk_create(TaskRecord(task_id=one, state="SUCCESS") for one in ids)
    code, shown = run("z4j_cancel", *ids, "--yes")
    assert code == 1
    assert "... and 1 more; --json prints them all." in shown
    assert "101 refused." in shown
