"""Workflows over the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from tests.integration import nouns
from tests.integration.api_client import WHO, address, body, client, problem
from tests.integration.pages import NOW, task
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import graphs

pytestmark = pytest.mark.django_db

TASK = address("tasks", "m", "graph")
GROUP = address("groups", "g", "graph")


@pytest.fixture
def _chord() -> None:
    """A chord of one that failed, its body only named; and its retry."""
    GroupRecord.objects.create(
        group_id="g", kind="chord", size=2, body_id="b", root_id="r", first_seen=NOW
    )
    task("r", root_id="r", name="shop.start", state="SUCCESS")
    task(
        "m",
        root_id="r",
        parent_id="r",
        name="shop.pay",
        state="FAILURE",
        queue="mail",
        worker="w1@a",
        retries=2,
        group_id="g",
        group_index=1,
        chord_id="b",
        sent_at=NOW,
        runtime=0.5,
        args=["secret"],
    )
    task("again", root_id="r", parent_id="r", retry_of="m")


@pytest.mark.usefixtures("_chord")
class TestGraph:
    @pytest.mark.parametrize("where", [TASK, GROUP, address("tasks", "r", "graph")])
    def test_it_is_the_whole_workflow(self, where: str) -> None:
        found = body(client().get(where))
        found["steps"] = len(found["steps"])
        assert {**found, "nodes": len(found["nodes"])} == {
            "root_id": "r",
            "nodes": 4,
            "steps": 3,
            "groups": [
                {
                    "group_id": "g",
                    "known": True,
                    "url": "http://testserver/z4j/api/groups/g/",
                    "kind": "chord",
                    "size": 2,
                    "body_id": "b",
                    "counts": {"FAILURE": 1},
                }
            ],
            "edges": [
                {"kind": "parent", "source": "r", "target": "m"},
                {"kind": "member", "source": "g", "target": "m"},
                {"kind": "parent", "source": "r", "target": "again"},
                {"kind": "retry", "source": "m", "target": "again"},
                {"kind": "body", "source": "g", "target": "b"},
            ],
            "more": False,
        }

    def test_its_steps_have_retries_as_one_and_what_is_alike_folded(self) -> None:
        TaskRecord.objects.filter(task_id="again").update(
            state="FAILURE", started_at=NOW, finished_at=NOW + timedelta(seconds=2), sent_at=NOW
        )
        TaskRecord.objects.filter(task_id="r").update(sent_at=NOW, started_at=NOW, finished_at=NOW)
        TaskRecord.objects.bulk_create(
            TaskRecord(task_id=f"c{n}", root_id="r", parent_id="r", name="shop.tell")
            for n in range(10)
        )
        start, pay, body_, tell = body(client().get(TASK))["steps"]
        assert start["task_ids"] == ["r"]
        assert pay == {
            "task_ids": ["again"], "earlier": ["m"], "name": "", "group_id": "g",
            "counts": {"FAILURE": 1}, "wait": 0.0, "run": 2.0, "critical": True, "after": [0],
        }  # fmt: skip
        assert (body_["counts"], body_["after"]) == ({"UNKNOWN": 1}, [1])
        assert (tell["counts"], tell["after"]) == ({"NOT SENT": 10}, [0])

    def test_a_node_says_how_the_task_stands(self) -> None:
        nodes = {one["task_id"]: one for one in body(client().get(TASK))["nodes"]}
        assert nodes["m"] == {
            "known": True,
            "never_sent": False,
            "task_id": "m",
            "url": "http://testserver/z4j/api/tasks/m/",
            "name": "shop.pay",
            "state": "FAILURE",
            "queue": "mail",
            "worker": "w1@a",
            "retries": 2,
            "group_id": "g",
            "group_index": 1,
            "sent_at": "2026-03-04T12:00:00.000000Z",
            "started_at": None,
            "finished_at": None,
            "runtime": 0.5,
        }
        unknown = nodes["b"]
        assert (unknown.pop("task_id"), unknown.pop("known")) == ("b", False)
        assert unknown.pop("never_sent") is False
        assert set(unknown.values()) == {None}
        assert unknown.keys() | {"task_id", "known", "never_sent"} == nodes["m"].keys()

    def test_a_group_that_only_its_member_names(self) -> None:
        GroupRecord.objects.all().delete()
        [group] = body(client().get(GROUP))["groups"]
        assert group == {
            "group_id": "g",
            "known": False,
            "url": None,
            "kind": None,
            "size": None,
            "body_id": "b",
            "counts": {"FAILURE": 1},
        }

    def test_it_says_that_there_is_more(self, monkeypatch) -> None:
        monkeypatch.setattr(graphs, "LIMIT", 2)
        found = body(client().get(TASK))
        assert (len(found["nodes"]), found["more"]) == (2, True)

    @pytest.mark.parametrize("name", ["nobody", "M", "m ", "x" * 300, "a\0b"])
    def test_of_any_other_id_there_is_none(self, name: str) -> None:
        problem(client().get(address("tasks", name, "graph")), 404)
        problem(client().get(address("groups", name, "graph")), 404)
        problem(client().get(TASK, {"project": "other"}), 404)

    def test_what_is_no_parameter_is_told(self) -> None:
        for where in (TASK, GROUP):
            told = problem(client().get(where, {"depth": 3}), 400)
            assert [one["name"] for one in told["errors"]] == ["depth"]

    def test_a_large_one_takes_as_many_queries_as_a_small_one(self) -> None:
        asks = client()
        few = len(nouns.reads(TASK, asks))
        TaskRecord.objects.bulk_create(
            TaskRecord(task_id=f"m{n}", root_id="r", parent_id="r", group_id="g", group_index=n)
            for n in range(2, 300)
        )
        # MySQL and MariaDB are asked for 190 values at once.
        more = 2 if connection.vendor == "mysql" else 0
        assert len(nouns.reads(TASK, asks)) == few + more <= 10

    @pytest.mark.parametrize("who", WHO)
    @pytest.mark.parametrize("where", [TASK, GROUP])
    def test_viewers_may_look(self, who: str, where: str) -> None:
        assert client(who).get(where).status_code == nouns.SEEN_BY[who]

    @pytest.mark.parametrize("where", [TASK, GROUP])
    def test_both_permissions_are_wanted(self, where: str) -> None:
        both = ("view_taskrecord", "view_grouprecord")
        assert nouns.holder(*both).get(where).status_code == 200
        for one, other in (both, both[::-1]):
            told = problem(nouns.holder(one).get(where), 403)
            assert f"z4j_django.{other}" in told["detail"]


@pytest.mark.parametrize("name", nouns.HOSTILE)
def test_ids_are_only_text(name: str) -> None:
    task("child", root_id=name, parent_id=name, group_id=name, chord_id=name)
    task(name, root_id=name, name=name)
    asks = client()
    for where in (address("tasks", name, "graph"), address("groups", name, "graph")):
        found = body(asks.get(where))
        assert {one["task_id"] for one in found["nodes"]} == {name, "child"}
        assert found["groups"][0]["group_id"] == name
        addresses = [one["url"] for one in found["nodes"] if one["task_id"] == name]
        assert body(asks.get(addresses[0]))["name"] == name
