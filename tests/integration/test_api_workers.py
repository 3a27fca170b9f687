"""Workers over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.integration import nouns
from tests.integration.api_client import WHO, address, body, client, problem
from tests.integration.pages import NOW, task
from z4j_django.models import WorkerRecord
from z4j_django.queries import pages, workers

pytestmark = pytest.mark.django_db

WORKERS = address("workers")
ONE = address("workers", "w1@shop")


def worker(hostname: str, **fields: Any) -> WorkerRecord:
    return WorkerRecord.objects.create(hostname=hostname, **fields)


class TestList:
    def test_those_that_came_last_come_first_and_say_what_they_are(self) -> None:
        worker("w1@shop")
        worker(
            "w2@shop",
            pid=7,
            online=True,
            pool="prefork",
            concurrency=8,
            queues=["celery", "mail"],
            version="5.6.0",
            started_at=NOW,
            last_seen=timezone.now(),
        )
        [second, first] = body(client().get(WORKERS))["results"]
        assert (first["hostname"], first["presence"], first["queues"]) == ("w1@shop", "offline", [])
        assert second.pop("row") > first["row"]
        assert second.pop("last_seen").endswith("Z")
        assert second == {
            "url": "http://testserver/z4j/api/workers/w2@shop/",
            "project": "default",
            "hostname": "w2@shop",
            "presence": "online",
            "status": "online",
            "evidence": "It is heard of, and 0 of its 8 slots are held.",
            "pid": 7,
            "pool": "prefork",
            "concurrency": 8,
            "used": 0,
            "queues": ["celery", "mail"],
            "version": "5.6.0",
            "started_at": "2026-03-04T12:00:00.000000Z",
            "stopped_at": None,
        }

    @pytest.mark.parametrize(
        ("silence", "presence"), [(10, "online"), (300, "silent"), (None, "silent")]
    )
    def test_one_that_says_nothing_any_more_is_silent(self, silence, presence) -> None:
        seen = None if silence is None else timezone.now() - timedelta(seconds=silence)
        worker("w1@shop", online=True, last_seen=seen)
        assert body(client().get(ONE))["presence"] == presence

    def test_they_are_found_by_their_beginning_and_by_whether_they_said_goodbye(self) -> None:
        asks = client()
        worker("w1@shop", online=True)
        worker("w1@bank")
        worker("x1@shop", online=True)
        worker("w2@shop", online=True, project="other")
        assert nouns.listed(f"{WORKERS}?q=w1@&limit=1", "hostname", asks) == ["w1@bank", "w1@shop"]
        assert nouns.listed(f"{WORKERS}?online=true", "hostname", asks) == ["x1@shop", "w1@shop"]
        assert nouns.listed(f"{WORKERS}?online=false", "hostname", asks) == ["w1@bank"]
        assert nouns.listed(f"{WORKERS}?q=w&online=true", "hostname", asks) == ["w1@shop"]
        assert nouns.listed(f"{WORKERS}?project=other", "hostname", asks) == ["w2@shop"]

    @pytest.mark.parametrize("text", ["%", "_1", "W1", "1@", "'"])
    def test_a_beginning_is_meant_as_it_stands(self, text: str) -> None:
        worker("w1@shop")
        assert body(client().get(WORKERS, {"q": text}))["results"] == []

    def test_the_few_that_are_wanted_are_looked_for_piece_by_piece(self, monkeypatch) -> None:
        monkeypatch.setattr(pages, "WINDOW", 3)
        worker("old@shop", online=True)
        for number in range(8):
            worker(f"w{number}@gone")
        asks = client()
        first = body(asks.get(WORKERS, {"online": "true"}))
        assert (first["results"], first["next"] is None) == ([], False)
        assert nouns.listed(f"{WORKERS}?online=true", "hostname", asks) == ["old@shop"]

    @pytest.mark.parametrize(
        ("name", "value"), [("online", "yes"), ("online", ""), ("q", ""), ("pool", "prefork")]
    )
    def test_a_parameter_that_can_not_be_is_told(self, name: str, value: str) -> None:
        told = problem(client().get(WORKERS, {name: value}), 400)
        assert [one["name"] for one in told["errors"]] == [name]

    def test_a_long_page_takes_no_more_queries_than_a_short_one(self) -> None:
        asks = client()
        worker("w")
        few = len(nouns.reads(WORKERS, asks))
        for number in range(60):
            worker(f"w{number}")
        assert len(nouns.reads(f"{WORKERS}?limit=50", asks)) <= few <= 5

    def test_queues_that_are_no_list_are_none(self) -> None:
        worker("w1@shop", queues={"a": 1})
        assert body(client().get(ONE))["queues"] == []


class TestOne:
    def test_it_has_the_newest_tasks_that_it_took(self, monkeypatch) -> None:
        monkeypatch.setattr(workers, "RECENT_TASKS_LIMIT", 2)
        asks = client()
        worker("w1@shop")
        for number in range(3):
            task(f"t{number}", worker="w1@shop", args=["secret"])
        task("stranger", worker="w1@shop", project="other")
        found = body(asks.get(ONE))
        assert [one["task_id"] for one in found["recent_tasks"]] == ["t2", "t1"]
        assert "args" not in found["recent_tasks"][0]
        assert nouns.listed(found["tasks_url"], "task_id", asks) == ["t2", "t1", "t0"]
        assert body(asks.get(found["url"]))["hostname"] == "w1@shop"
        assert len(nouns.reads(ONE, asks)) == 5

    def test_whoever_may_not_view_tasks_sees_the_worker_alone(self) -> None:
        worker("w1@shop")
        task("t", worker="w1@shop")
        assert body(nouns.holder("view_workerrecord").get(ONE))["recent_tasks"] is None

    @pytest.mark.parametrize("name", ["nobody", "W1@shop", "w1@shop ", "x" * 300, "a\0b"])
    def test_of_any_other_name_there_is_none(self, name: str) -> None:
        worker("w1@shop")
        problem(client().get(address("workers", name)), 404)
        problem(client().get(ONE, {"project": "other"}), 404)

    @pytest.mark.parametrize("name", nouns.HOSTILE)
    def test_a_name_is_only_text(self, name: str) -> None:
        asks = client()
        worker(name, pool=name, queues=[name, 1], version=name)
        [row] = body(asks.get(WORKERS))["results"]
        assert (row["hostname"], row["queues"]) == (name, [name, "1"])
        found = body(asks.get(row["url"]))
        assert found["pool"] == name
        task("t", worker=name)
        assert nouns.listed(found["tasks_url"], "task_id", asks) == ["t"]


class TestWho:
    @pytest.mark.parametrize("who", WHO)
    @pytest.mark.parametrize("where", [WORKERS, ONE])
    def test_viewers_may_look(self, who: str, where: str) -> None:
        worker("w1@shop")
        assert client(who).get(where).status_code == nouns.SEEN_BY[who]

    @pytest.mark.parametrize("where", [WORKERS, ONE])
    def test_the_permission_alone_is_enough_and_no_other_is(self, where: str) -> None:
        worker("w1@shop")
        assert nouns.holder("view_workerrecord").get(where).status_code == 200
        told = problem(nouns.holder("view_taskrecord", "control_worker").get(where), 403)
        assert "z4j_django.view_workerrecord" in told["detail"]
