"""Queues: what was sampled and counted of each, without a look at the broker."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration import operators
from tests.integration.counted import counted
from tests.integration.operators import QUEUES, address
from tests.integration.pages import SCRIPT, task, text
from z4j_django.admin import fragments, queues
from z4j_django.control import queue_depths
from z4j_django.models import ConditionRecord, QueueSample, WorkerRecord
from z4j_django.queries import queue_table

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    fragments.forget()


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list[str]:
    """The queues that the broker is asked for; each has three messages."""
    found: list[str] = []

    def count(name: str) -> int:
        found.append(name)
        return 3

    monkeypatch.setattr(queue_depths, "counting", lambda: nullcontext(count))
    return found


def sample(queue: str, minutes: float = 0, **fields: Any) -> QueueSample:
    at = timezone.now() - timedelta(minutes=minutes)
    return QueueSample.objects.create(queue=queue, at=at, **{"depth": 0, **fields})


def worker(hostname: str, *names: str, **fields: Any) -> WorkerRecord:
    given = {"online": True, "last_seen": timezone.now(), "queues": list(names), **fields}
    return WorkerRecord.objects.create(hostname=hostname, **given)


def of(queue: str, query: str = "") -> str:
    return f"{address('operation_queue')}?queue={queue}{query}"


class TestTable:
    def test_the_fullest_queues_come_first(self) -> None:
        now = timezone.now()
        sample("old", minutes=1, depth=1, oldest_at=now - timedelta(hours=1))
        sample("young", minutes=1, depth=1, oldest_at=now)
        sample("full", minutes=2, depth=9)
        sample("full", minutes=1, depth=412)
        for minutes in range(30, 40):  # one of which is a point of the line
            sample("stale", minutes=minutes, depth=500)
        found = queue_table.table("default", now)
        assert [one.name for one in found] == ["full", "old", "young", "stale"]
        assert [one.depth for one in found] == [412, 1, 1, None]
        assert found[1].oldest(now) == pytest.approx(3600)

    def test_what_goes_in_and_out_is_the_mean_of_five_minutes(self) -> None:
        now = timezone.now()
        for minutes in (1, 3, 5):
            counted(now - timedelta(minutes=minutes), queue="mail", sent=60, started=20)
        counted(now - timedelta(minutes=9), queue="mail", sent=1000)
        [only] = queue_table.table("default", now)
        assert (only.sent, only.taken) == (36, 12)
        one = queue_table.one("default", "mail", now)
        assert (one.sent, one.taken) == (36, 12)

    def test_a_line_ends_with_what_waits_now(self) -> None:
        for minutes in range(59):
            sample("mail", minutes=minutes, depth=minutes)
        [only] = queue_table.table("default", timezone.now())
        assert len(only.line) >= 6
        assert only.line == sorted(only.line, reverse=True)
        assert only.line[-1] == 0

    def test_another_project_has_queues_of_its_own(self) -> None:
        sample("theirs", project="other")
        counted(timezone.now() - timedelta(minutes=2), queue="theirs", project="other", sent=1)
        assert queue_table.table("default", timezone.now()) == []

    def test_what_is_only_consumed_or_on_record_is_there_too(self) -> None:
        task("a", queue="mail")
        found = queue_table.table("default", timezone.now(), ["unused"])
        assert [one.name for one in found] == ["mail", "unused"]


class TestList:
    def test_it_shows_what_waits_and_asks_nobody(self, admin_client, asked) -> None:
        sample("mail", depth=1412, oldest_at=timezone.now() - timedelta(minutes=6, seconds=5))
        worker("w1", "mail", "other")
        worker("gone", "mail", last_seen=timezone.now() - timedelta(hours=1))
        shown = text(admin_client.get(QUEUES))
        for one in ("1,412", "6 min", 'title="mail"', 'title="other"'):
            assert one in shown
        assert 'data-label="consumers">1</td>' in shown
        assert asked == []

    def test_the_broker_is_asked_where_one_wants_it(self, admin_client, asked) -> None:
        task("a", queue="mail")
        assert ">unknown</td>" in text(admin_client.get(QUEUES))
        assert ">3</td>" in text(admin_client.get(f"{QUEUES}?ask=1"))
        assert asked == ["mail"]

    def test_a_silent_broker_is_not_asked_about_each_queue(
        self, admin_client, asked, monkeypatch
    ) -> None:
        monkeypatch.setattr(queues, "TIMEOUT", 0.0)
        task("a", queue="mail")
        assert ">unknown</td>" in text(admin_client.get(f"{QUEUES}?ask=1"))
        assert asked == []

    def test_what_the_statistics_have_no_place_for_is_no_queue(self, admin_client) -> None:
        counted(timezone.now() - timedelta(minutes=2), queue="z4j_django.other", sent=5)
        shown = text(admin_client.get(QUEUES))
        assert "others" in shown
        assert "z4j_django.other" not in shown

    def test_an_empty_table_says_what_that_means(self, admin_client) -> None:
        assert "No queue is on record yet" in text(admin_client.get(QUEUES))

    def test_at_most_12_queries_however_many_queues(self) -> None:
        for n in range(60):
            sample(f"q{n}", depth=n)
            counted(timezone.now() - timedelta(minutes=2), queue=f"q{n}", sent=1)
            worker(f"w{n}", f"q{n}")
        client = operators.signed_in("z4j viewer")
        with CaptureQueriesContext(connection) as captured:
            assert client.get(QUEUES).status_code == 200
        assert len(captured) <= 12


class TestOne:
    def test_it_says_how_the_queue_stands(self, admin_client, asked) -> None:
        sample("mail", depth=412, consumers=2, oldest_at=timezone.now() - timedelta(minutes=6))
        one = worker("w1@web1", "mail")
        ConditionRecord.objects.create(
            key="queue_backing_up", subject="mail", severity="warning", since=timezone.now(),
            last_seen=timezone.now(), evidence="412 messages wait in the queue mail.",
        )  # fmt: skip
        shown = text(admin_client.get(of("mail")))
        for word in ("<dd>412", ">6 min<", "<dd>2<", "412 messages wait in the queue mail."):
            assert word in shown
        assert address("workerrecord_change", one.pk) in shown
        assert f"{address('operation_purge')}?queue=mail" in shown
        assert asked == []

    def test_its_line_is_told_as_numbers(self, admin_client) -> None:
        for minutes in (0, 30, 90):
            sample("mail", minutes=minutes, depth=minutes)
        data = json.loads(text(admin_client.get(of("mail", "&line=1"))))
        assert data["series"][0]["values"] == [30, 0]
        data = json.loads(text(admin_client.get(of("mail", "&hours=6&line=1"))))
        assert data["series"][0]["values"] == [90, 30, 0]

    def test_what_is_no_queue_is_not_found(self, admin_client) -> None:
        for name in ("", "nobody", "%00", "x" * 300):
            assert admin_client.get(of(name)).status_code == 404
            assert admin_client.get(of(name, "&line=1")).status_code in (200, 404)
        task("a", queue="mail")
        assert admin_client.get(of("mail", "&hours=x")).status_code == 200

    def test_what_one_may_not_see_or_do_is_not_offered(self) -> None:
        sample("mail")
        worker("w1", "mail")
        assert operators.signed_in("staff").get(of("mail")).status_code == 403
        viewer = operators.signed_in("z4j viewer")
        assert "Purge" not in text(viewer.get(of("mail")))

    def test_at_most_12_queries(self) -> None:
        for n in range(20):
            sample("mail", minutes=n, depth=n)
            worker(f"w{n}", "mail")
        client = operators.signed_in("z4j operator")
        with CaptureQueriesContext(connection) as captured:
            assert client.get(of("mail")).status_code == 200
        assert len(captured) <= 12


@pytest.mark.parametrize("name", [SCRIPT, "x" * 255, "\u202eevil", "🛒" * 60, "a/b?c&d"])
def test_names_are_only_text(admin_client, name: str) -> None:
    sample(name, depth=1)
    worker(name, name)
    for response in (
        admin_client.get(QUEUES),
        admin_client.get(address("operation_queue"), {"queue": name}),
    ):
        assert SCRIPT not in text(response)
