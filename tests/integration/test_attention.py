"""What is wrong now, as it is shown: over the API and by the command."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from tests.integration import alerting, nouns
from tests.integration.api_client import WHO, address, body, client
from tests.integration.operators import broker_in_memory
from tests.integration.test_commands import run
from z4j_django.conditions import attention
from z4j_django.models import ConditionRecord, Lease, QueueSample, WorkerRecord
from z4j_django.watch import lease, on_demand

NOW = timezone.now()
ATTENTION = address("attention")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def condition(key: str, subject: str = "", severity: str = "warning", **fields: Any) -> None:
    given = {"since": ago(60), "last_seen": NOW, "evidence": f"{key} of {subject}.", **fields}
    open_ = None if given.get("ended_at") else True
    ConditionRecord.objects.create(
        key=key, subject=subject, severity=severity, is_open=open_, **given
    )


@pytest.fixture
def looked(db: None) -> None:
    """Somebody has just made a round."""
    Lease.objects.create(name="watch", holder="1@h", until=lease.now(), done_at=lease.now())


@pytest.mark.usefixtures("looked")
class TestAPI:
    def test_the_worst_comes_first_and_then_what_explains_the_most(self) -> None:
        condition("worker_silent", "w@h", since=ago(900))
        condition("queue_without_consumer", "mail", "critical", since=ago(900))
        condition("no_workers", severity="critical", since=ago(60))
        condition("journal_behind", "h:/j", ended_at=ago(50))
        condition("journal_disk", "h:/j", ended_at=ago(5))
        condition("no_workers", project="other", severity="critical")
        found = body(client().get(ATTENTION))
        assert [one["key"] for one in found["open"]] == [
            "no_workers",
            "queue_without_consumer",
            "worker_silent",
        ]
        assert [one["key"] for one in found["ended"]] == ["journal_disk", "journal_behind"]
        assert (found["critical"], found["warning"], found["checked_by"]) == (2, 1, "1@h")
        assert found["checked_at"].endswith("Z")

    def test_each_says_what_it_is_since_when_why_and_what_to_do(self) -> None:
        condition("queue_without_consumer", "a, b*", "critical", numbers={"depth": 3})
        [one] = body(client().get(ATTENTION))["open"]
        assert one["title"] == "Queue without a consumer"
        assert (one["subject_kind"], one["subject"], one["numbers"]) == (
            "queue",
            "a, b*",
            {"depth": 3},
        )
        assert one["evidence"] == "queue_without_consumer of a, b*."
        assert one["remedy"].startswith("Start a worker with `-Q`")
        assert one["tasks"] == 'queue:"a, b*" state:PENDING'
        body(client().get(address("tasks"), {"q": one["tasks"]}))

    def test_one_of_another_version_is_shown_as_it_is(self) -> None:
        condition("of_tomorrow", "x")
        [one] = body(client().get(ATTENTION))["open"]
        assert (one["title"], one["remedy"], one["tasks"]) == ("of_tomorrow", "", "")

    @pytest.mark.parametrize("name", nouns.HOSTILE)
    def test_a_name_is_only_text(self, name: str) -> None:
        condition("worker_gone", name, evidence=name)
        [one] = body(client().get(ATTENTION))["open"]
        assert (one["subject"], one["evidence"]) == (name, name)
        body(client().get(address("tasks"), {"q": one["tasks"]}))

    def test_another_projects_are_shown_and_not_looked_for(self) -> None:
        condition("no_workers", project="other", severity="critical")
        found = body(client().get(ATTENTION, {"project": "other"}))
        assert ([one["key"] for one in found["open"]], found["checked_at"]) == (
            ["no_workers"],
            None,
        )

    def test_it_takes_four_queries_however_much_there_is(self) -> None:
        for number in range(30):
            condition("worker_gone", f"w{number}")
            condition("worker_gone", f"w{number}", ended_at=ago(number))
        assert len(nouns.reads(ATTENTION)) == 4

    @pytest.mark.parametrize("who", WHO)
    def test_viewers_may_look(self, who: str) -> None:
        assert client(who).get(ATTENTION).status_code == nouns.SEEN_BY[who]


@pytest.mark.django_db(transaction=True)
class TestOnDemand:
    @pytest.fixture(autouse=True)
    def _broker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        broker_in_memory(monkeypatch)

    def test_where_nobody_looks_whoever_asks_does_and_hears_first_that_no_worker_lives(
        self,
    ) -> None:
        found = body(client().get(ATTENTION))
        first = found["open"][0]
        assert (first["key"], first["severity"]) == ("no_workers", "critical")
        assert first["evidence"] == "No worker is online: none was ever heard of."
        assert found["checked_at"] is not None
        assert QueueSample.objects.get().queue == "celery"

    def test_within_a_minute_nobody_looks_again(self) -> None:
        on_demand.refresh("default")
        assert lease.DatabaseLease("default", Lease.WATCH, 45.0).take() is not None
        ConditionRecord.objects.all().delete()
        on_demand.refresh("default")
        assert not ConditionRecord.objects.exists()
        Lease.objects.update(done_at=ago(61), until=ago(16))
        on_demand.refresh("default")
        assert ConditionRecord.objects.filter(key="no_workers").count() == 1

    def test_while_another_process_has_the_lease_it_is_left_to_that(self) -> None:
        Lease.objects.create(name="watch", holder="1@h", until=lease.now() + timedelta(seconds=40))
        on_demand.refresh("default")
        assert not ConditionRecord.objects.exists()

    def test_what_can_not_be_evaluated_in_time_is_old_and_no_error(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: Any) -> None:
            raise DatabaseError("away")

        monkeypatch.setattr(on_demand, "_round", fail)
        found = body(client().get(ATTENTION))
        assert (found["open"], found["checked_at"]) == ([], None)


@pytest.mark.django_db(transaction=True)
class TestCommand:
    def test_its_status_is_what_cron_and_nagios_read(self, looked: None) -> None:
        assert run("z4j_attention") == (0, "OK: nothing is wrong.\n")
        condition("worker_silent", "w@h", evidence="w@h says \x1b[31mnothing.")
        code, output = run("z4j_attention")
        first, second, third = output.splitlines()
        assert (code, first) == (1, "WARNING: 0 critical, 1 warning")
        assert second.startswith("warning  Worker silent: w@h says \\x1b[31mnothing. (since ")
        assert third.startswith("         See whether its process still runs")
        condition("no_workers", severity="critical")
        code, output = run("z4j_attention", "--json")
        shown = json.loads(output)
        assert (code, shown["status"], shown["problem"]) == (2, "critical", "")
        assert [one["key"] for one in shown["open"]] == ["no_workers", "worker_silent"]

    def test_it_looks_itself_where_nobody_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        broker_in_memory(monkeypatch)
        code, output = run("z4j_attention")
        assert code == 2
        assert output.splitlines()[1].startswith("critical No worker: No worker is online: ")

    def test_it_ends_when_what_it_found_is_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        broker_in_memory(monkeypatch)
        rules = {"all": {"after": 0, "channels": ["ops"]}}
        with alerting.inbox() as ops, alerting.settings(RULES=rules):
            ops.meanwhile = lambda: time.sleep(0.5)  # as long as a channel may take to answer
            code, _ = run("z4j_attention")
            assert code == 2
            assert ops.lines()
            assert set(alerting.written("state")) == {"sent"}

    def test_what_nobody_has_looked_at_for_long_is_unknown(
        self, looked: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(on_demand, "refresh", lambda project: None)
        Lease.objects.update(done_at=lease.now() - timedelta(minutes=5))
        assert run("z4j_attention") == (3, "UNKNOWN: Nobody has looked for 5m 00s.\n")
        Lease.objects.all().delete()
        assert run("z4j_attention") == (3, "UNKNOWN: Nobody has looked ever.\n")

    def test_a_database_that_is_away_is_unknown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(project: str) -> None:
            raise DatabaseError("away from postgresql://me:secret@h/db")

        monkeypatch.setattr(attention, "read", fail)
        monkeypatch.setattr(on_demand, "refresh", lambda project: None)
        code, output = run("z4j_attention")
        assert code == 3
        assert output.startswith("UNKNOWN: DatabaseError: away from ")
        assert "secret" not in output
        code, output = run("z4j_attention", "--json")
        assert (code, json.loads(output)["status"]) == (3, "unknown")


@pytest.mark.usefixtures("looked")
class TestSamplesOfAQueue:
    def test_they_are_shown_the_newest_last(self, monkeypatch: pytest.MonkeyPatch) -> None:
        broker_in_memory(monkeypatch)
        WorkerRecord.objects.create(hostname="w", online=True, queues=["mail"])
        for hours in (1, 2, 30):
            QueueSample.objects.create(queue="mail", at=ago(3600 * hours), depth=hours)
        QueueSample.objects.create(queue="mail", project="other", at=ago(60), depth=9)
        queue = address("queues", "mail")
        assert [one["depth"] for one in body(client().get(queue))["samples"]] == [2, 1]
        found = body(client().get(queue, {"hours": 48}))["samples"]
        assert [one["depth"] for one in found] == [30, 2, 1]

    def test_of_very_many_every_so_many_th_is_shown(self) -> None:
        from z4j_django.queries import queues

        QueueSample.objects.bulk_create(
            QueueSample(queue="mail", at=ago(60 * number), depth=number) for number in range(25)
        )
        found = queues.samples("default", "mail", ago(9999), 10)
        assert [one.depth for one in found] == [24, 21, 18, 15, 12, 9, 6, 3, 0]
