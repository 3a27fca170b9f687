"""``z4j_prune``, in the process of the tests."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.integration.aged import left, task
from z4j_django import states
from z4j_django.store import retention

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def command(settings: Any, tmp_path: Path) -> Iterator[Any]:
    settings.Z4J = {"JOURNAL_DIR": str(tmp_path / "journal"), "SHIPPER": "external"}

    def run(*options: str) -> str:
        output = io.StringIO()
        call_command("z4j_prune", "--pause", "0", *options, stdout=output, stderr=io.StringIO())
        return output.getvalue()

    return run


class TestCommand:
    def test_it_takes_the_ages_of_the_settings(self, command: Any, settings: Any) -> None:
        settings.Z4J = {**settings.Z4J, "RETENTION": {"SUCCESS": "7d"}}
        task("old", 8)
        task("failed", 8, states.FAILURE)
        said = command()
        assert said.startswith(
            "Deleted 1 tasks (SUCCESS 1), 2 events, 0 payloads, 0 logs, 0 groups, "
        )
        assert (
            "0 errors, 0 operations, 0 workers, 0 journals, 0 losses, 0 samples, 0 conditions, "
            "0 alerts, 0 silences, 0 cursors, 0 statistics, in " in said
        )
        assert left() == {"failed"}

    def test_or_those_of_the_command_line(self, command: Any) -> None:
        for state in (states.SUCCESS, states.FAILURE, states.PENDING):
            task(state, 8, state)
        command("--older-than", "1w", "--state", "FAILURE", "unfinished")
        assert left() == {"SUCCESS"}
        command("--older-than", "1w")
        assert left() == set()

    def test_a_dry_run_says_what_would_go(self, command: Any) -> None:
        task("old", 8)
        said = command("--older-than", "7d", "--dry-run")
        assert said.startswith(
            "Would delete 1 tasks (SUCCESS 1), 2 events, 0 payloads, 0 logs, 0 errors"
        )
        assert "Groups go after the last of their members; they are not counted here." in said
        assert left() == {"old"}

    def test_as_json(self, command: Any) -> None:
        task("old", 8)
        shown = json.loads(command("--older-than", "7d", "--json"))
        assert shown.pop("seconds") >= 0
        assert shown == {
            "project": "default",
            "dry_run": False,
            "complete": True,
            "tasks": {"SUCCESS": 1},
            "events": 2,
            "payloads": 0,
            "logs": 0,
            "groups": 0,
            "errors": 0,
            "operations": 0,
            "workers": 0,
            "journals": 0,
            "losses": 0,
            "samples": 0,
            "conditions": 0,
            "alerts": 0,
            "silences": 0,
            "cursors": 0,
            "statistics": 0,
            "busy": 0,
        }
        assert json.loads(command("--older-than", "7d", "--json", "--dry-run"))["groups"] is None

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                [],
                "Nothing says how long records are kept. Write it into the settings, as "
                'Z4J["RETENTION"] = {"SUCCESS": "7d", "FAILURE": "90d", "default": "30d"}, or say '
                "it here: --older-than 30d.",
            ),
            (["--state", "FAILURE"], "--state says nothing without --older-than."),
            (
                ["--older-than", "3m"],
                '--older-than is \'3m\', which is no age; write "12h", "7d" or "4w".',
            ),
            (["--older-than", "7d", "--batch", "0"], "--batch is between 1 and 10000."),
            (["--older-than", "7d", "--pause", "-1"], "--pause is 0 or more."),
        ],
    )
    def test_what_it_refuses(self, command: Any, options: list[str], message: str) -> None:
        task("old", 8000)
        with pytest.raises(CommandError) as told:
            command(*options)
        assert str(told.value) == message
        assert left() == {"old"}

    def test_it_can_be_stopped_after_a_batch(
        self, command: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(3):
            task(str(number), 8)
        real = retention.prune

        def stop_after_one(*args: Any, **options: Any) -> Iterator[retention.Tally]:
            for tally in real(*args, **options):
                os.kill(os.getpid(), signal.SIGTERM)
                yield tally

        monkeypatch.setattr(retention, "prune", stop_after_one)
        output = io.StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("z4j_prune", "--older-than", "7d", "--batch", "1", stdout=output)
        assert ended.value.code == 1
        assert "It was stopped before its end; run it again to go on." in output.getvalue()
        assert len(left()) == 2

    def test_a_terminal_is_shown_how_far_it_is(self, command: Any) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        for number in range(4):
            task(str(number), 8)
        shown = Terminal()
        options = ("--older-than", "7d", "--batch", "2", "--pause", "0")
        call_command("z4j_prune", *options, stdout=io.StringIO(), stderr=shown)
        lines = [line.split("%")[0] for line in shown.getvalue().split("\r") if "%" in line]
        assert lines[0].startswith("[#")
        assert lines[-1] == f"[{'#' * 30}] 100"
        assert shown.getvalue().endswith("\r\x1b[K")
