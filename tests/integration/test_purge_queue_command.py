"""``manage.py z4j_purge_queue``: what it asks for, what it prints, and how it ends."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from tests.integration.mailbox import QUEUE, Publish
from tests.integration.operators import grant
from z4j_django import operations
from z4j_django.models import Operation

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    """What it prints."""
    out = io.StringIO()
    call_command("z4j_purge_queue", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has somebody sit at a terminal."""

    def call(line: str) -> None:
        terminal = io.StringIO(line + "\n")
        terminal.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdin", terminal)

    return call


def test_the_name_is_typed_back_on_a_terminal(publish: Publish, typed: Any) -> None:
    publish(1, 2)
    typed("something else")
    with pytest.raises(CommandError, match="must be typed back"):
        run(QUEUE)
    typed(QUEUE)
    assert "All 2 messages were saved and removed." in run(QUEUE)


def test_a_script_gives_it_as_an_option_and_yes_is_not_enough(publish: Publish) -> None:
    publish(1)
    with pytest.raises(CommandError, match="--confirm NAME") as told:
        run(QUEUE, "--yes")
    assert told.value.returncode == 2
    assert operations.count_messages(QUEUE) == 1
    purged = json.loads(run(QUEUE, "--confirm", QUEUE, "--json"))
    assert (purged["verb"], purged["done"], purged["total"]) == ("purge_queue", 2, 2)
    assert [target["target"] for target in purged["targets"]] == [QUEUE, "task-1"]


def test_a_dry_run_counts_and_leaves_everything_as_it_is(publish: Publish) -> None:
    publish(1, 2, 3)
    assert "3 messages" in run(QUEUE, "--dry-run")
    assert not Operation.objects.exists()
    assert operations.count_messages(QUEUE) == 3
    run(QUEUE, "--confirm", QUEUE)
    number = str(Operation.objects.get().pk)
    told = json.loads(run("--restore", number, "--dry-run", "--json"))
    assert told["targets"] == [{"target": QUEUE, "outcome": "done", "reason": "3 messages"}]
    assert operations.count_messages(QUEUE) == 0


def test_a_restore_is_asked_for_by_the_number_of_the_purge(publish: Publish, typed: Any) -> None:
    publish(1, 2)
    run(QUEUE, "--confirm", QUEUE)
    number = str(Operation.objects.get().pk)
    typed("n")
    with pytest.raises(CommandError, match=r"Nothing was done\."):
        run("--restore", number)
    assert "All 2 messages were put back." in run("--restore", number, "--yes")
    with pytest.raises(CommandError, match="All 2 messages were restored"):
        run("--restore", number, "--yes")


@pytest.mark.parametrize("arguments", [(), (QUEUE, "--restore", "1")])
def test_a_queue_and_a_restore_are_two_things(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="Name a queue, or --restore") as told:
        run(*arguments)
    assert told.value.returncode == 2


def test_what_is_left_in_the_queue_ends_it_with_one(publish: Publish) -> None:
    publish(1)
    publish(2, compression="a method that there is not")
    with pytest.raises(SystemExit) as ended:
        run(QUEUE, "--confirm", QUEUE)
    assert ended.value.code == 1


def test_a_user_needs_the_permission_to_look_and_to_purge(publish: Publish) -> None:
    publish(1)
    user = User.objects.create_user("ann")
    for more in (["--dry-run"], ["--confirm", QUEUE]):
        with pytest.raises(CommandError, match="ann may not do this"):
            run(QUEUE, "--actor", "ann", *more)
    with pytest.raises(CommandError, match="ann may not do this"):
        run("--restore", "1", "--actor", "ann")
    grant(user, "purge_queue")
    run(QUEUE, "--actor", "ann", "--confirm", QUEUE)
    assert (Operation.objects.get().actor, Operation.objects.get().surface) == ("ann", "command")
