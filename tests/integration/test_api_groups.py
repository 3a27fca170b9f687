"""Groups and chords over the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration import nouns
from tests.integration.api_client import WHO, address, body, client, problem
from tests.integration.pages import NOW, task
from z4j_django.models import GroupRecord
from z4j_django.queries import groups, pages

pytestmark = pytest.mark.django_db

GROUPS = address("groups")


def group(group_id: str, **fields: Any) -> GroupRecord:
    return GroupRecord.objects.create(group_id=group_id, **{"first_seen": NOW, **fields})


class TestList:
    def test_the_newest_come_first_and_say_what_they_are(self) -> None:
        group("first")
        group("second", kind="chord", size=3, body_id="b", body_name="shop.settle", root_id="r")
        [second, first] = body(client().get(GROUPS))["results"]
        assert first["group_id"] == "first"
        assert {**second, "row": 0} == {
            "url": "http://testserver/z4j/api/groups/second/",
            "row": 0,
            "project": "default",
            "group_id": "second",
            "kind": "chord",
            "size": 3,
            "body_id": "b",
            "body_name": "shop.settle",
            "root_id": "r",
            "first_seen": "2026-03-04T12:00:00.000000Z",
        }

    def test_pages_lead_on_and_back_whatever_comes_meanwhile(self) -> None:
        asks = client()
        for number in range(5):
            group(f"g{number}")
        first = body(asks.get(GROUPS, {"limit": 2}))
        assert first["previous"] is None
        group("meanwhile")
        second = body(asks.get(first["next"]))
        assert [row["group_id"] for row in second["results"]] == ["g2", "g1"]
        last = body(asks.get(second["next"]))
        assert ([row["group_id"] for row in last["results"]], last["next"]) == (["g0"], None)
        back = body(asks.get(last["previous"]))
        assert [row["group_id"] for row in back["results"]] == ["g2", "g1"]
        top = body(asks.get(body(asks.get(back["previous"]))["previous"]))
        assert [row["group_id"] for row in top["results"]] == ["meanwhile"]
        assert top["previous"] is None

    def test_a_search_finds_the_beginning_of_an_id_or_a_whole_body(self) -> None:
        asks = client()
        group("abcd-1", body_id="body-1")
        group("abcd-2", body_id="body-2")
        group("efgh-1")
        assert nouns.listed(f"{GROUPS}?q=abcd&limit=1", "group_id", asks) == ["abcd-2", "abcd-1"]
        assert nouns.listed(f"{GROUPS}?q=body-1", "group_id", asks) == ["abcd-1"]
        assert nouns.listed(f"{GROUPS}?q=body", "group_id", asks) == []

    def test_a_beginning_that_half_the_table_has_is_not_looked_for(self) -> None:
        [told] = problem(client().get(GROUPS, {"q": "abc"}), 400)["errors"]
        assert told["name"] == "q"
        assert "between 4 and 255 characters" in told["reason"]

    def test_each_project_has_its_own(self) -> None:
        group("ours")
        group("theirs", project="other")
        assert nouns.listed(GROUPS, "group_id") == ["ours"]
        [theirs] = body(client().get(GROUPS, {"project": "other"}))["results"]
        assert theirs["url"] == "http://testserver/z4j/api/groups/theirs/?project=other"

    def test_the_few_of_a_project_are_looked_for_piece_by_piece(self, monkeypatch) -> None:
        monkeypatch.setattr(pages, "WINDOW", 3)
        group("ours")
        for number in range(8):
            group(f"g{number}", project="other")
        asks = client()
        first = body(asks.get(GROUPS))
        assert first["results"] == []
        assert first["next"] is not None
        assert nouns.listed(GROUPS, "group_id", asks) == ["ours"]

    def test_what_is_no_parameter_is_told(self) -> None:
        told = problem(client().get(GROUPS, {"kind": "chord", "limit": 1}), 400)
        assert [one["name"] for one in told["errors"]] == ["kind"]

    def test_a_long_page_takes_no_more_queries_than_a_short_one(self) -> None:
        asks = client()
        group("first")
        few = nouns.reads(GROUPS, asks)
        for number in range(60):
            group(f"g{number}")
        assert len(nouns.reads(f"{GROUPS}?limit=50", asks)) <= len(few) <= 3


class TestOne:
    def test_it_has_its_members_in_their_order_and_its_body(self) -> None:
        group("g", kind="chord", size=3, body_id="b")
        for index, state in ((2, "FAILURE"), (0, "SUCCESS"), (1, "SUCCESS")):
            task(f"m{index}", group_id="g", group_index=index, state=state, args=["secret"])
        task("b", name="shop.settle")
        task("m9", group_id="g", project="other")
        found = body(client().get(address("groups", "g")))
        members = found["members"]
        assert [one["task_id"] for one in members["results"]] == ["m0", "m1", "m2"]
        assert members["counts"] == {"FAILURE": 1, "SUCCESS": 2}
        assert members["more"] is False
        assert "args" not in members["results"][0]
        assert found["body"]["name"] == "shop.settle"
        assert found["graph_url"] == "http://testserver/z4j/api/groups/g/graph/"

    def test_its_addresses_lead_where_they_say(self) -> None:
        asks = client()
        group("g/1", project="other", size=1)
        task("m", group_id="g/1", group_index=0, project="other")
        found = body(asks.get(address("groups", "g/1"), {"project": "other"}))
        assert body(asks.get(found["url"])) == found
        assert body(asks.get(found["graph_url"]))["groups"][0]["group_id"] == "g/1"
        assert nouns.listed(found["tasks_url"], "task_id", asks) == ["m"]
        member = found["members"]["results"][0]
        assert body(asks.get(member["url"]))["task_id"] == "m"

    def test_of_many_members_the_first_are_shown(self, monkeypatch) -> None:
        monkeypatch.setattr(groups, "MEMBERS_LIMIT", 2)
        group("g", size=3)
        for index in range(3):
            task(f"m{index}", group_id="g", group_index=index)
        members = body(client().get(address("groups", "g")))["members"]
        assert (len(members["results"]), members["counts"]) == (2, {"PENDING": 2})
        assert members["more"] is True

    def test_whoever_may_not_view_tasks_sees_the_group_alone(self) -> None:
        group("g", kind="chord", size=1, body_id="b")
        task("m", group_id="g", group_index=0)
        task("b")
        found = body(nouns.holder("view_grouprecord").get(address("groups", "g")))
        assert (found["members"], found["body"], found["size"]) == (None, None, 1)

    @pytest.mark.parametrize("name", ["nobody", "G", "g ", " g", "x" * 300, "a\0b"])
    def test_of_any_other_id_there_is_none(self, name: str) -> None:
        group("g")
        problem(client().get(address("groups", name)), 404)
        problem(client().get(address("groups", "g"), {"project": "other"}), 404)

    @pytest.mark.parametrize("name", nouns.HOSTILE)
    def test_an_id_is_only_text(self, name: str) -> None:
        asks = client()
        group(name, body_id=name, body_name=name)
        [row] = body(asks.get(GROUPS))["results"]
        assert row["group_id"] == name
        assert body(asks.get(row["url"]))["body_name"] == name
        found = body(asks.get(address("groups", name)))
        assert found["group_id"] == name
        task("m", group_id=name)
        assert nouns.listed(found["tasks_url"], "task_id", asks) == ["m"]

    def test_it_takes_five_queries_whatever_its_size(self) -> None:
        group("g", kind="chord", size=40, body_id="b")
        task("b")
        for index in range(40):
            task(f"m{index}", group_id="g", group_index=index)
        assert len(nouns.reads(address("groups", "g"))) == 5


class TestWho:
    @pytest.mark.parametrize("who", WHO)
    @pytest.mark.parametrize("where", [GROUPS, address("groups", "g")])
    def test_viewers_may_look(self, who: str, where: str) -> None:
        group("g")
        assert client(who).get(where).status_code == nouns.SEEN_BY[who]

    @pytest.mark.parametrize("where", [GROUPS, address("groups", "g")])
    def test_the_permission_alone_is_enough_and_no_other_is(self, where: str) -> None:
        group("g")
        assert nouns.holder("view_grouprecord").get(where).status_code == 200
        others = nouns.holder("view_taskrecord", "view_operation", "retry_group")
        told = problem(others.get(where), 403)
        assert "z4j_django.view_grouprecord" in told["detail"]

    def test_nothing_can_be_sent_to_a_list(self) -> None:
        problem(client().post(GROUPS, {}, content_type="application/json"), 405)
        problem(client().delete(GROUPS), 405)
