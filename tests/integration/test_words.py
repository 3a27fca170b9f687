"""What tasks say of themselves, stored and shown: progress, their logs, their stacks."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration import api_client
from tests.integration.api_client import body, problem
from tests.integration.operators import broker_in_memory, grant, signed_in
from tests.integration.pages import SCRIPT, TASKS, page, task, text
from tests.integration.test_writer import event, store
from z4j_django import conf, states
from z4j_django.agent import events, stacks
from z4j_django.control import remote_control, results
from z4j_django.models import TaskLog, TaskRecord
from z4j_django.queries import progress
from z4j_django.retention_policy import RetentionPolicy
from z4j_django.store import retention

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(microsecond=0)


def running(task_id: str = "r", **said: Any) -> TaskRecord:
    """A task that began a minute ago, and said how far it is twenty seconds ago."""
    return task(
        task_id,
        name="shop.sync",
        state=states.STARTED,
        worker="w1@web1",
        started_at=NOW - timedelta(seconds=60),
        progress={"current": None, "total": None, "text": "", **said},
        progress_at=NOW - timedelta(seconds=20),
    )


def lines(at: float, *texts: str, retries: int = 0, task_id: str = "a") -> events.LogEvent:
    made = [events.LogLine(at + n, "WARNING", "shop", one) for n, one in enumerate(texts)]
    return events.LogEvent(task_id, at + 100, retries, lines=made)


class TestProgress:
    @pytest.mark.parametrize(
        ("said", "left"),
        [
            ({"current": 1, "total": 2}, 20.0),
            ({"current": 2, "total": 2}, 0.0),
            ({"current": 0, "total": 2}, None),
            ({"current": 3, "total": 2}, None),
            ({"current": 1, "total": 0}, None),
            ({"current": 1}, None),
        ],
    )
    def test_the_time_left_is_told_by_the_pace(self, said: Any, left: float | None) -> None:
        found = progress.of(running(**said), NOW)
        assert found is not None
        assert found.left == left

    def test_a_task_that_said_nothing_has_none(self) -> None:
        assert progress.of(task("a", state=states.STARTED), NOW) is None

    def test_page_list_and_programs_show_it(self, admin_client: Client) -> None:
        record = running(current=47, total=50, text=f"images {SCRIPT}")
        for shown in (text(admin_client.get(page(record))), text(admin_client.get(TASKS))):
            assert "47 of 50" in shown
            assert "images &lt;script&gt;" in shown
            assert SCRIPT not in shown
            assert re.search(r"about \d+ s left", shown)
        told = body(api_client.client().get(api_client.address("tasks", "r")))
        assert told["progress"] == {"current": 47, "total": 50, "text": f"images {SCRIPT}"}
        output = io.StringIO()
        call_command("z4j_tasks", "--json", stdout=output)
        [listed] = json.loads(output.getvalue())["tasks"]
        assert (listed["progress"], listed["progress_at"]) == (
            told["progress"],
            told["progress_at"],
        )

    def test_a_table_has_it_as_json(self) -> None:
        running(current=47, total=50, text="=cmd()")
        url = f"{api_client.ROOT}tasks.csv?fields=progress"
        told = b"".join(api_client.client().get(url).streaming_content).decode()
        [_, row] = csv.reader(io.StringIO(told))
        assert json.loads(row[0]) == {"current": 47, "total": 50, "text": "=cmd()"}

    def test_of_what_is_over_the_page_says_how_far_it_came(self, admin_client: Client) -> None:
        record = running(current=47, total=50)
        TaskRecord.objects.update(state=states.FAILURE)
        assert "47 of 50" in text(admin_client.get(page(record)))
        assert " left</span>" not in text(admin_client.get(page(record)))
        assert "47 of 50" not in text(admin_client.get(TASKS))

    def test_where_there_is_none_the_backends_meta_is_shown(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broker_in_memory(monkeypatch)
        meta = {"step": SCRIPT, "password": "hunter2"}
        told = results.Progress(0.0, None, "IMPORTING", meta)
        monkeypatch.setattr(results, "progress", lambda *args: told)
        record = task("a", state=states.STARTED)
        shown = text(admin_client.get(page(record), {"part": "task"}))
        assert "IMPORTING" in shown
        assert "&lt;script&gt;" in shown
        assert SCRIPT not in shown
        assert "hunter2" not in shown

    def test_the_newest_word_of_the_newest_attempt_stands(self) -> None:
        words = [
            event(events.TASK_STARTED, 1.0),
            event(events.TASK_PROGRESS, 2.0, progress=events.Progress(1, 9)),
            event(events.TASK_PROGRESS, 3.0, progress=events.Progress(2, 9, "token=s3cr3t")),
            event(events.TASK_STARTED, 2.5, retries=1),
        ]
        for order in itertools.permutations(words[:3]):
            TaskRecord.objects.all().delete()
            for one in order:
                store(one)
            record = TaskRecord.objects.get()
            assert record.state == states.STARTED
            assert (record.progress["current"], record.progress["total"]) == (2, 9)
            assert record.progress["text"].startswith("token=")
            assert "s3cr3t" not in record.progress["text"]
        for order in itertools.permutations(words):
            TaskRecord.objects.all().delete()
            for one in order:
                store(one)
            record = TaskRecord.objects.get()
            assert (record.retries, record.progress, record.progress_at) == (1, None, None)


class TestLogs:
    def test_the_newest_word_of_an_attempt_stands_in_whatever_order(self) -> None:
        words = [lines(1, "a"), lines(2, "a", "b"), lines(3, "c", retries=1)]
        for order in itertools.permutations(words):
            TaskLog.objects.all().delete()
            for one in order:
                store(one)
            rows = TaskLog.objects.order_by("attempt")
            assert [[line[3] for line in row.lines] for row in rows] == [["a", "b"], ["c"]]

    def test_page_and_api_show_them(self, admin_client: Client) -> None:
        store(
            event(events.TASK_SUCCEEDED, 1.0),
            lines(1, "first password=hunter2"),
            lines(2, f"second {SCRIPT}", retries=1),
        )
        record = TaskRecord.objects.get()
        shown = text(admin_client.get(page(record)))
        assert shown.index("first password=") < shown.index("second &lt;script&gt;")
        assert SCRIPT not in shown
        assert "hunter2" not in shown
        client = api_client.client("z4j viewer")
        address = api_client.address("tasks", "a", "logs") + "?project=shop"
        told = body(client.get(address))
        assert told["left_out"] == 0
        assert told["notes"] == ["No logs of tasks are kept (Z4J['LOGS'])."]
        assert [(one["retries"], one["level"]) for one in told["results"]] == [
            (0, "WARNING"),
            (1, "WARNING"),
        ]
        problem(client.get(api_client.address("tasks", "none", "logs")), 404)
        problem(api_client.client("no role").get(address), 403)

    def test_of_many_attempts_the_newest_lines_are_shown(self) -> None:
        store(event(events.TASK_SUCCEEDED, 1.0))
        store(*(lines(n, *["x"] * 90, retries=n) for n in range(4)))
        address = api_client.address("tasks", "a", "logs") + "?project=shop"
        told = body(api_client.client().get(address))
        assert (len(told["results"]), told["left_out"]) == (200, 160)
        assert {one["retries"] for one in told["results"]} == {1, 2, 3}

    def test_they_go_with_their_task(self) -> None:
        store(event(events.TASK_SUCCEEDED, 1.0), lines(1, "a"), lines(1, "b", task_id="other"))
        policy = RetentionPolicy(tasks={states.SUCCESS: timedelta(days=1)})
        [*_, tally] = retention.prune(policy, "shop")
        assert tally.others["logs"] == 1
        assert list(TaskLog.objects.values_list("task_id", flat=True)) == ["other"]

    def test_a_page_without_any_asks_for_none(self, admin_client: Client) -> None:
        record = task("a", state=states.SUCCESS)
        with CaptureQueriesContext(connection) as queries:
            shown = text(admin_client.get(page(record)))
        assert 'id="z4j-log"' not in shown
        assert not any('FROM "z4j_django_tasklog" ORDER' in one["sql"] for one in queries)


class TestStack:
    FRAMES = (
        ["/venv/site-packages/celery/app/trace.py", 7, "trace_task", "fun()"],
        ["/srv/shop/tasks.py", 12, f"sync{SCRIPT}", "login(password='hunter2')"],
    )

    @pytest.fixture
    def reply(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """What the worker answers."""
        told: dict[str, Any] = {"frames": [*map(list, self.FRAMES)]}
        broker_in_memory(monkeypatch)
        monkeypatch.setattr(remote_control, "stack", lambda *args, **kwargs: told)
        return told

    def test_page_api_and_command_show_it_to_those_who_may(self, reply: dict[str, Any]) -> None:
        record = running()
        address = api_client.address("tasks", "r", "stack")
        told = body(api_client.client("z4j operator").get(address))
        assert [one["line"] for one in told["frames"]] == [7, 12]
        assert "hunter2" not in told["frames"][1]["source"]
        refused = problem(api_client.client("z4j viewer").get(address), 403)
        assert refused["detail"] == "The permission z4j_django.see_stack is missing."

        operator, viewer = signed_in("z4j operator"), signed_in("z4j viewer")
        url = f"{TASKS}{record.pk}/stack/"
        assert f'href="{url}"' in text(operator.get(page(record)))
        assert url not in text(viewer.get(page(record)))
        assert viewer.get(url).status_code == 403
        for shown in (text(operator.get(url)), text(operator.get(url, {"part": "stack"}))):
            assert "sync&lt;script&gt;" in shown
            assert SCRIPT not in shown
        output = io.StringIO()
        call_command("z4j_stack", "r", stdout=output)
        assert output.getvalue().splitlines()[0].endswith('trace.py", line 7, in trace_task')

    def test_what_does_not_run_has_none(self, reply: dict[str, Any]) -> None:
        record = task("a", state=states.SUCCESS)
        assert "/stack/" not in text(signed_in("superuser").get(page(record)))
        with pytest.raises(CommandError, match="The task does not run: it is SUCCESS"):
            call_command("z4j_stack", "a")
        with pytest.raises(CommandError, match="no task of this id"):
            call_command("z4j_stack", "none")

    @pytest.mark.parametrize(
        ("told", "sentence"),
        [
            ({}, "The worker w1@web1 did not answer in time"),
            ({"error": "KeyError('z4j_stack')"}, "The worker w1@web1 has no z4j_django that"),
            ({"none": stacks.OVER}, "The task is over"),
            ({"none": ["x"]}, "The worker w1@web1 has no z4j_django that"),
            ({"frames": [["/x", "7", "f", ""], 9, None]}, "The worker w1@web1 has no z4j_django"),
        ],
    )
    def test_why_there_is_none_is_a_sentence(
        self, reply: dict[str, Any], told: dict[str, Any], sentence: str
    ) -> None:
        running()
        reply.clear()
        reply.update(told)
        seen = body(api_client.client().get(api_client.address("tasks", "r", "stack")))
        assert seen["frames"] == []
        assert seen["sentence"].startswith(sentence)

    def test_a_broker_that_is_away_is_a_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*args: Any, **kwargs: Any) -> None:
            raise TimeoutError("no answer within 2 s")

        broker_in_memory(monkeypatch)
        monkeypatch.setattr(remote_control, "stack", away)
        running()
        seen = body(api_client.client().get(api_client.address("tasks", "r", "stack")))
        assert seen["sentence"] == "The worker can't be asked: no answer within 2 s"

    def test_it_leaves_no_trail_but_a_line_in_the_log(
        self, reply: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        user = User.objects.create_user("olga")
        grant(user, "see_stack", "view_taskrecord")
        running()
        with caplog.at_level("INFO", "z4j_django.operations"):
            call_command("z4j_stack", "r", "--actor", "olga", stdout=io.StringIO())
        assert "olga looks at the stack of r." in caplog.messages


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"LOGS": "LOUD"}, "Z4J is wrong: Invalid enum value 'LOUD'"),
        ({"STACK_SIGNAL": "SIGUSR1"}, r"Z4J\['STACK_SIGNAL'\] is 'SIGUSR1'; it is None, or a sig"),
        ({"STACK_SIGNAL": "SIGTERM"}, "neither Celery nor Python uses: SIGURG, SIGWINCH"),
        ({"STACK_SIGNAL": "__name__"}, "neither Celery nor Python uses"),
    ],
)
def test_a_setting_that_can_not_be_is_told(settings: Any, given: Any, words: str) -> None:
    settings.Z4J = given
    with pytest.raises(ImproperlyConfigured, match=words):
        conf.settings.enabled  # noqa: B018
