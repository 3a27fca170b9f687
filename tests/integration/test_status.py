"""The second word: found by its term, and shown beside the state, on every surface alike."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.integration.pages import TASKS, listed, page, superuser, task, text
from z4j_django.models import ConditionRecord, TaskRecord, WorkerRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import status, workers
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.selection import Selection

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "filters.md"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _tasks() -> None:
    """One of each, and what looks like it and is not."""
    now = timezone.now()
    later, past = now + HOUR, now - HOUR
    task("due", state="RECEIVED", eta=later, deliveries=1)
    task("retrying", state="RECEIVED", eta=later, retries=2, deliveries=3)
    task("retry-sent", state="RETRY", eta=later, retries=1, deliveries=1)
    task("expired", state="PENDING", expires=past, sent_at=past)
    task("redelivered", state="SUCCESS", retries=1, deliveries=3)
    task("both", state="RECEIVED", eta=later, deliveries=2)
    task("plain", state="PENDING", eta=past, expires=later, sent_at=past)
    task("late", state="SUCCESS", eta=later, expires=past, retries=2, deliveries=3)
    task("z4j_django.probe-1", name="celery.accumulate", state="PENDING")
    task("bulk", name="z4j_django.bulk", state="STARTED", queue="mail", worker="w@h")
    task("replaced", state="SUCCESS", deliveries=4, attempt=2**32)
    task("unsent", state="PENDING")
    task("put-back", state="PENDING", received_at=past)
    task("passed", state="PENDING", queue="fast", sent_at=past)
    task("passed-by", state="SUCCESS", queue="fast", sent_at=now, received_at=now)
    _taken(now)


def _taken(now: datetime) -> None:
    """What workers took, that are there no more, or say nothing, and what they took since."""
    long_ago, past = now - 3 * HOUR, now - HOUR
    worker = WorkerRecord.objects.create
    worker(hostname="there@h", online=True, pid=7, started_at=long_ago, last_seen=now)
    worker(hostname="mute@h", online=True, pid=7, started_at=long_ago, last_seen=past)
    worker(hostname="gone@h", online=False, pid=7, last_seen=past, stopped_at=past)
    worker(hostname="again@h", online=True, pid=8, started_at=past, last_seen=now)
    worker(hostname="gone@h", project="other", online=True, last_seen=now)
    before, since = past - HOUR, past + HOUR / 2
    received, started = {"state": "RECEIVED"}, {"state": "STARTED", "received_at": before}
    task("at-there", worker="there@h", pid=7, received_at=before, **received)
    task("at-mute", worker="mute@h", pid=7, received_at=before, **received)
    task("at-gone", worker="gone@h", pid=7, received_at=before, **received)
    task("in-gone", worker="gone@h", pid=70, started_at=before, **started)
    task("since-gone", worker="gone@h", pid=9, received_at=since, **received)
    task("done-gone", worker="gone@h", received_at=before, state="SUCCESS")
    task("else-gone", worker="gone@h", received_at=before, project="other", **received)
    task("at-again", worker="again@h", pid=7, received_at=before, **received)
    task("in-again", worker="again@h", pid=70, started_at=before, **started)
    task("same-again", worker="again@h", pid=8, received_at=before, **received)
    task("seen-again", worker="again@h", pid=None, started_at=before, **started)
    task("since-again", worker="again@h", pid=80, started_at=since, **started)
    task("nowhere", worker="unknown@h", received_at=before, **received)
    numbers = {"longer_than": 1800.0}
    for project in ("default", "other"):
        ConditionRecord.objects.create(
            project=project,
            key="task_running_long",
            subject="shop.export",
            numbers=numbers,
            since=past,
            last_seen=now,
        )
    export = {"state": "STARTED", "name": "shop.export", "worker": "there@h"}
    task("long", started_at=past, **export)
    task("short", started_at=now, **export)
    task("other-long", **{**export, "name": "shop.other"}, started_at=past)


SAID = {
    "due": r"due in 1h 00m|due in 59m \d\ds",
    "retrying": r"retry due in 1h 00m|retry due in 59m \d\ds",
    "retry-sent": r"retry due in 1h 00m|retry due in 59m \d\ds",
    "expired": "expired",
    "redelivered": "delivered 3 times",
    "both": r"(due in 1h 00m|due in 59m \d\ds), delivered 2 times",
    "plain": "",
    "late": "",
    "replaced": "",
    "unsent": "not sent yet, or never will be",
    "put-back": "",
    "passed": "not taken: sent 1h 00m ago, later ones were taken",
    "passed-by": "",
    "at-there": "",
    "at-mute": "worker silent: nothing from mute@h for 1h 00m",
    "at-gone": "possibly lost: gone@h stopped 1h 00m ago",
    "in-gone": "possibly lost: gone@h stopped 1h 00m ago",
    "since-gone": "",
    "done-gone": "",
    "else-gone": "",
    "at-again": "possibly lost: again@h was started anew 1h 00m ago",
    "in-again": "possibly lost: again@h was started anew 1h 00m ago",
    "same-again": "",
    "seen-again": "",
    "since-again": "",
    "nowhere": "",
    "long": "running long",
    "short": "",
    "other-long": "",
}
FOUND = {
    "due": ["both", "due"],
    "retrying": ["retry-sent", "retrying"],
    "expired": ["expired"],
    "unsent": ["unsent"],
    "untaken": ["passed"],
    "silent": ["at-mute"],
    "lost": ["in-again", "at-again", "in-gone", "at-gone"],
    "long": ["long"],
    "redelivered": ["both", "redelivered"],
    "internal": ["bulk", "z4j_django.probe-1"],
}


ALL = TaskRecord.objects.all()


def found(text: str) -> list[str]:
    rows = filters.parse(text).page(TaskRecord.objects.all(), Cursor(), 50).rows
    return [row.task_id for row in rows]


@pytest.mark.parametrize("name", FOUND)
def test_its_term_finds_those_of_which_it_is_said(name: str) -> None:
    assert found(f"is:{name}") == FOUND[name]
    left = set(SAID) - set(FOUND[name])
    assert sorted(found(f"-is:{name}")) == sorted(left)
    assert {one.task_id for one in filters.parse(f"-is:{name}").matches(ALL)} == left


def test_they_are_told_in_one_query_and_what_runs_in_three(django_assert_num_queries: Any) -> None:
    rows = list(ALL.all())
    with django_assert_num_queries(3):  # of the projects, and of what is long in them, too
        status.tell(rows)
    rows = list(ALL.exclude(state="STARTED"))
    with django_assert_num_queries(1):
        status.tell(rows)


def test_a_worker_that_never_said_when_is_silent_all_the_same() -> None:
    WorkerRecord.objects.filter(hostname="mute@h").update(last_seen=None)
    mute = TaskRecord.objects.get(task_id="at-mute")
    status.tell([mute])
    assert mute.status == "worker silent: nothing from mute@h"


def test_several_are_any_of_them() -> None:
    assert found("is:due,expired state:PENDING,RECEIVED") == ["both", "expired", "due"]


def test_each_is_known_to_the_docs() -> None:
    table = DOCS.read_text().partition("| Status | Said of a task that |")[2]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", table.partition("\n\n")[0], re.MULTILINE)
    assert rows == [(one.name, one.help) for one in status.STATUSES.values()]


def test_bulk_takes_those_that_have_a_bound() -> None:
    assert Selection(project="default", search="is:expired").ids(10) == ["expired"]
    assert Selection.from_params({"is": "due"}, "default").ids(10) == ["both", "due"]
    with pytest.raises(ValueError, match="is:redelivered: there is no index"):
        Selection(project="default", search="is:redelivered").ids(10)
    assert Selection(project="default", search="is:redelivered state:RECEIVED").ids(10) == ["both"]


def test_what_is_chosen_for_bulk_is_what_it_was_when_it_was_asked_for() -> None:
    before = timezone.now() - 2 * HOUR
    asked = Selection(project="default", search="is:expired", asked_at=before.isoformat())
    assert asked.ids(10) == []


def test_the_list_and_the_page_of_the_admin_say_it() -> None:
    client = superuser()
    shown: Any = client.get(TASKS, {"is": "redelivered"})
    assert listed(shown) == FOUND["redelivered"]
    assert re.search(f'<span class="z4j-status">{SAID["both"]}</span>', text(shown))
    detail = client.get(page(TaskRecord.objects.get(task_id="redelivered")))
    assert '<span class="z4j-status">delivered 3 times</span>' in text(detail)


def test_the_api_says_it() -> None:
    client = superuser()
    shown = client.get("/z4j/api/tasks/", {"is": "due"}).json()["results"]
    assert [one["task_id"] for one in shown] == FOUND["due"]
    everything = client.get("/z4j/api/tasks/", {"fields": "task_id,status"}).json()["results"]
    assert {one["task_id"] for one in everything} == SAID.keys()
    for one in everything:
        assert re.fullmatch(SAID[one["task_id"]], one["status"]), one
    assert client.get("/z4j/api/tasks/expired/").json()["status"] == "expired"


def test_the_command_says_it() -> None:
    out = io.StringIO()
    call_command("z4j_tasks", "is:expired", json=True, stdout=out)
    [shown] = json.loads(out.getvalue())["tasks"]
    assert (shown["state"], shown["status"]) == ("PENDING", "expired")
    out = io.StringIO()
    call_command("z4j_tasks", "is:redelivered", stdout=out)
    assert re.match(r"state +status +name", out.getvalue())
    assert "delivered 3 times" in out.getvalue()


@pytest.mark.parametrize("text", ["", "state:STARTED,PENDING", "queue:mail", "-name:shop.*"])
def test_tasks_of_our_own_are_in_no_list(text: str) -> None:
    assert not {"bulk", "z4j_django.probe-1"} & set(found(text))
    assert not {"bulk", "z4j_django.probe-1"} & set(
        Selection(project="default", search=text).ids(50)
    )


@pytest.mark.parametrize(
    "text", ["name:z4j_django.*", "id:bulk", "z4j_django.bulk", "is:internal state:STARTED"]
)
def test_those_are_found_that_are_asked_for(text: str) -> None:
    assert found(text) == ["bulk"]
    assert [one.task_id for one in filters.parse(text).matches(ALL)] == ["bulk"]


def test_the_admin_and_the_api_leave_them_out_and_the_count_too() -> None:
    client = superuser()
    shown: Any = client.get(TASKS)
    assert set(listed(shown)) == SAID.keys()
    assert shown.context["cl"].total.count == len(SAID)
    assert "internal" in text(client.get(TASKS, {"is": "internal"}))
    everything = client.get("/z4j/api/tasks/").json()["results"]
    assert {one["task_id"] for one in everything} == SAID.keys()
    worker = WorkerRecord.objects.create(hostname="w@h")
    assert workers.recent_tasks(worker) == []


def test_a_runtime_is_told_of_what_runs_and_of_what_was_killed() -> None:
    TaskRecord.objects.all().delete()
    began = timezone.now() - HOUR
    task("runs", state="STARTED", started_at=began)
    task("killed", state="FAILURE", started_at=began, finished_at=began + HOUR / 2)
    assert found("runtime:>20m") == ["killed", "runs"]
    assert found("runtime:>40m") == ["runs"]
    assert found("runtime:<40m") == ["killed"]
    client = superuser()
    shown = client.get("/z4j/api/tasks/", {"runtime": ">20m", "fields": "runtime"}).json()
    assert [round(one["runtime"] / 60) for one in shown["results"]] == [30, 60]
    assert "60 min" in text(client.get(TASKS, {"q": "runtime:>20m"}))
    out = io.StringIO()
    call_command("z4j_tasks", "runtime:>20m", fields="runtime", ndjson=True, stdout=out)
    lines = map(json.loads, out.getvalue().splitlines())
    assert [round(one["runtime"] / 60) for one in lines] == [30, 60]
