"""Workers: what each does now, by the last that was heard of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration import operators
from tests.integration.operators import address
from tests.integration.pages import SCRIPT, WORKERS, page, task, text
from tests.integration.test_admin_queues import worker
from z4j_django.admin import fragments
from z4j_django.models import ConditionRecord, Release, TaskRecord
from z4j_django.values import release_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    fragments.forget()


def runs(task_id: str, hostname: str, minutes: float = 1, **fields: Any) -> TaskRecord:
    started = timezone.now() - timedelta(minutes=minutes)
    given = {"state": "STARTED", "name": f"shop.{task_id}", "worker": hostname}
    return task(task_id, started_at=started, received_at=started, **{**given, **fields})


def held(key: str, hostname: str, evidence: str) -> None:
    now = timezone.now()
    ConditionRecord.objects.create(
        key=key, subject=hostname, severity="warning", since=now, last_seen=now, evidence=evidence
    )


def row(shown: str, hostname: str) -> str:
    return next(one for one in shown.split("<tr>") if hostname in one)


class TestList:
    def test_each_says_what_it_does(self, admin_client) -> None:
        worker("busy@1", "mail", concurrency=2)
        worker("works@1", "mail", concurrency=4)
        worker("idle@1", "mail", concurrency=4)
        worker("silent@1", last_seen=timezone.now() - timedelta(minutes=5))
        worker("gone@1", last_seen=timezone.now() - timedelta(hours=1))
        worker("left@1", online=False, stopped_at=timezone.now())
        worker("stuck@1", "mail", concurrency=4)
        held("worker_not_consuming", "stuck@1", "It takes nothing.")
        worker("long ago@1", online=False, last_seen=timezone.now() - timedelta(days=2))
        worker("beat@1", pool="beat")
        for number in range(2):
            runs(f"a{number}", "busy@1")
        runs("b", "works@1")
        shown = text(admin_client.get(WORKERS))
        for name, word in (
            ("busy@1", "busy"), ("works@1", "online"), ("idle@1", "online"),
            ("silent@1", "silent"), ("left@1", "stopped"), ("gone@1", "gone"),
            ("beat@1", "online"), ("stuck@1", "not consuming"),
        ):  # fmt: skip
            assert f">{word}</span>" in row(shown, name)
        assert "2/2" in row(shown, "busy@1")
        assert "1/4" in row(shown, "works@1")
        assert 'title="It takes nothing."' in row(shown, "stuck@1")
        assert "long ago@1" not in shown
        for query in ("?online=all", "?online=no"):
            assert "long ago@1" in text(admin_client.get(WORKERS + query))

    def test_at_most_12_queries(self) -> None:
        for number in range(20):
            worker(f"w{number}@1", "mail", concurrency=2)
            runs(f"t{number}", f"w{number}@1")
        client = operators.signed_in("z4j viewer")
        with CaptureQueriesContext(connection) as captured:
            assert client.get(WORKERS).status_code == 200
        assert len(captured) <= 12


class TestPage:
    def test_it_says_what_the_worker_runs_now_the_longest_first(self, admin_client) -> None:
        one = worker("w@1", "mail", concurrency=2)
        short, long = runs("short", "w@1", 1), runs("long", "w@1", 18)
        runs("other", "w@2", 99)
        task("waits", worker="w@1", state="RECEIVED", name="shop.waits")
        now = text(admin_client.get(page(one))).split("Newest tasks")[0]
        assert now.index(page(long)) < now.index(page(short))
        assert "18 min" in now
        assert "shop.other" not in now
        assert "1 more taken and not begun" in now
        assert "2/2" in now
        assert ">busy</span>" in now

    def test_what_is_wrong_with_it_stands_there(self, admin_client) -> None:
        one = worker("w@1", concurrency=1)
        held("slots_held", "w@1", "All 1 slots of w@1 are held.")
        assert "All 1 slots of w@1 are held." in text(admin_client.get(page(one)))

    def test_its_release_and_versions_and_queues(self, admin_client) -> None:
        one = worker("w@1", "mail", version="5.5.3", concurrency=1)
        key = release_key("4.12.0")
        Release.objects.create(
            key=key, name="4.12.0", first_seen=timezone.now(), last_seen=timezone.now()
        )
        task("a", worker="w@1", state="SUCCESS", release=key)
        shown = text(admin_client.get(page(one)))
        for word in ("4.12.0", "5.5.3", f"{address('operation_queue')}?queue=mail"):
            assert word in shown

    def test_a_beat_runs_nothing(self, admin_client) -> None:
        assert "This is beat" in text(admin_client.get(page(worker("beat@1", pool="beat"))))

    def test_who_may_not_see_tasks_sees_only_how_many(self) -> None:
        one = worker("w@1", concurrency=1)
        runs("secret", "w@1")
        client = operators.signed_in("staff")
        operators.grant(client.get("/").wsgi_request.user, "view_workerrecord")
        shown = text(client.get(page(one)))
        assert "shop.secret" not in shown
        assert "1/1" in shown

    def test_at_most_12_queries(self) -> None:
        one = worker("w@1", "mail", concurrency=9)
        for number in range(9):
            runs(f"t{number}", "w@1", release=7)
        client = operators.signed_in("z4j viewer")
        with CaptureQueriesContext(connection) as captured:
            assert client.get(page(one)).status_code == 200
        assert len(captured) <= 12

    def test_a_part_of_it_refreshes(self, admin_client) -> None:
        one = worker("w@1", concurrency=1)
        runs("a", "w@1")
        shown = text(admin_client.get(page(one) + "?part=now"))
        assert "shop.a" in shown
        assert "<html" not in shown

    @pytest.mark.parametrize("name", [SCRIPT, "x" * 255, "\u202eevil", "🛒" * 60])
    def test_names_are_only_text(self, admin_client, name) -> None:
        one = worker(name, name, pool=name[:60], version=name[:60])
        runs("a", name, name=name, queue=name)
        for where in (page(one), WORKERS):
            assert SCRIPT not in text(admin_client.get(where))
