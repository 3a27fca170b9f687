"""How far groups are: counted within bounds, shown in the list, and filtered by."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration import operators
from tests.integration.pages import GROUPS, NOW, SCRIPT, page, task, text
from tests.integration.test_graphs import many
from z4j_django.admin import group_list
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import groups

pytestmark = pytest.mark.django_db


def group(group_id: str, *states: str, size: int = 0, name: str = "shop.resize", **fields):
    found = GroupRecord.objects.create(
        group_id=group_id, size=size or len(states), first_seen=NOW, **fields
    )
    many(
        {"task_id": f"{group_id}-{n}", "group_id": group_id, "group_index": n, "state": state,
         "name": name, "sent_at": NOW}
        for n, state in enumerate(states)
    )  # fmt: skip
    return found


def progress(one: GroupRecord) -> groups.Progress:
    return groups.progress([one])[one.pk]


def listed(response) -> list[str]:
    return [record.group_id for record in response.context["cl"].result_list]


class TestProgress:
    @pytest.mark.parametrize(
        ("states", "size", "word", "done"),
        [
            (["SUCCESS", "SUCCESS"], 2, "succeeded", 2),
            (["SUCCESS", "IGNORED"], 2, "succeeded", 2),
            (["SUCCESS", "FAILURE", "STARTED"], 3, "failed", 2),
            (["REVOKED"], 1, "failed", 1),
            (["SUCCESS", "SUCCESS"], 3, "running", 2),
            (["SUCCESS", "PENDING"], 2, "running", 1),
            (["PENDING", "RECEIVED"], 2, "waiting", 0),
            ([], 4, "waiting", 0),
        ],
    )
    def test_how_it_stands_is_what_its_members_say(self, states, size, word, done) -> None:
        found = progress(group("g", *states, size=size))
        assert (found.word, found.done, found.size) == (word, done, size)

    def test_members_of_a_chords_body_are_none_of_its_header(self) -> None:
        header = group("g", "SUCCESS", kind="chord", body_id="h", body_name="celery.group")
        TaskRecord.objects.update(chord_id="h")
        body = GroupRecord.objects.create(group_id="h", kind="group", size=2, first_seen=NOW)
        many({"task_id": f"b{n}", "group_id": "g", "state": "FAILURE"} for n in range(2))
        found = groups.progress([header, body])
        assert found[header.pk].counts == [("SUCCESS", 1)]
        assert found[body.pk].counts == [("FAILURE", 2)]

    def test_of_large_groups_the_first_members_are_counted(self, monkeypatch) -> None:
        monkeypatch.setattr(groups, "COUNTED_LIMIT", 60)
        small, large = group("s", *["SUCCESS"] * 3), group("l", *["SUCCESS"] * 90)
        found = groups.progress([large, small])
        assert (found[small.pk].counted, found[small.pk].is_whole) == (3, True)
        assert (found[large.pk].counted, found[large.pk].is_whole) == (50, False)
        assert found[large.pk].word == "succeeded"
        assert found[large.pk].size == 90

    def test_its_members_have_a_name_or_several(self) -> None:
        one = group("g", "SUCCESS", "SUCCESS")
        assert progress(one).names == ("shop.resize",)
        task("other", group_id="g", name="shop.tell")
        assert progress(one).names == ("shop.resize", "shop.tell")

    def test_of_no_groups_there_is_none(self) -> None:
        assert groups.progress([]) == {}


class TestList:
    def test_each_group_says_how_far_it_is(self, admin_client) -> None:
        group("g", *["SUCCESS"] * 47, *["FAILURE"] * 3, kind="chord", body_id="body")
        task("body", name="shop.tell")
        shown = text(admin_client.get(GROUPS))
        for one in ("shop.resize", "&times;&nbsp;50", "50 of 50", "3 failed", "NEVER SENT"):
            assert one in shown
        assert "47 of 50, 3 failed" in shown  # for readers

    def test_what_was_retried_well_offers_no_retry(self, admin_client) -> None:
        for one in ("chord", "still"):
            group(one, "SUCCESS", "FAILURE", kind="chord", body_id=f"{one}-body")
        for one in ("group", "half"):
            group(one, "FAILURE", "REJECTED", "SUCCESS")
        task("b", retry_of="chord-body", state="SUCCESS")
        task("s", retry_of="still-body", state="FAILURE")
        for n in (0, 1):
            task(f"g{n}", retry_of=f"group-{n}", state="SUCCESS")
        task("h0", retry_of="half-0", state="SUCCESS")
        response = admin_client.get(GROUPS)
        rows = {row.group_id: row for row in response.context["cl"].result_list}
        assert {one for one, row in rows.items() if row.retry_url} == {"still", "half"}
        assert text(response).count("retried well") == 2
        assert "retried well" in text(admin_client.get(page(rows["chord"])))
        assert "retried well" not in text(admin_client.get(page(rows["half"])))

    def test_a_word_finds_the_groups_that_stand_so(self, admin_client) -> None:
        group("good", "SUCCESS")
        group("bad", "SUCCESS", "FAILURE")
        group("busy", "SUCCESS", "STARTED")
        for word, found in (("failed", "bad"), ("succeeded", "good"), ("running", "busy")):
            assert listed(admin_client.get(GROUPS, {"state": word})) == [found]
        assert listed(admin_client.get(GROUPS, {"state": "waiting"})) == []
        assert len(listed(admin_client.get(GROUPS, {"state": "nothing"}))) == 3

    def test_a_page_looks_through_so_many_groups_and_leads_on(
        self, admin_client, monkeypatch
    ) -> None:
        monkeypatch.setattr(group_list, "LOOKED_THROUGH", 3)
        for n in range(7):
            group(f"g{n}", "FAILURE" if n == 0 else "SUCCESS")
        response = admin_client.get(GROUPS, {"state": "failed"})
        found = []
        for _ in range(3):
            found += listed(response)
            link = re.search(r'href="([^"]*)">Look further', text(response))
            if link is None:
                break
            assert "This page looked through" in text(response)
            response = admin_client.get(GROUPS + link[1].replace("&amp;", "&"))
        assert found == ["g0"]

    def test_the_columns_of_members_want_their_permission(self) -> None:
        group("g", "FAILURE", name="shop.secret")
        client = operators.signed_in("staff")
        operators.grant(client.get("/").wsgi_request.user, "view_grouprecord")
        for query in ("", "?state=waiting"):
            response = client.get(GROUPS + query)
            assert "shop.secret" not in text(response)
            assert listed(response) == ["g"]

    @pytest.mark.parametrize("query", ["", "?state=succeeded", "?q=g1"])
    def test_at_most_12_queries(self, query) -> None:
        for n in range(60):
            group(f"g{n}", "SUCCESS", kind="chord" if n % 2 else "group", body_id=f"b{n}")
        client = operators.signed_in("z4j operator")
        with CaptureQueriesContext(connection) as captured:
            assert client.get(GROUPS + query).status_code == 200
        assert len(captured) <= 12

    def test_names_are_only_text(self, admin_client) -> None:
        for n, name in enumerate((SCRIPT, "x" * 255, "\u202eevil", "🛒" * 100)):
            group(f"{n}{name}"[:250], "FAILURE", name=name)
        shown = text(admin_client.get(GROUPS))
        assert SCRIPT not in shown
        assert len(listed(admin_client.get(GROUPS))) == 4


class TestPage:
    def test_it_leads_to_the_workflow_and_says_how_far_it_is(self, admin_client) -> None:
        one = group("g", "SUCCESS", "FAILURE")
        where = operators.address("grouprecord_change", one.pk)
        shown = text(admin_client.get(where))
        assert f'data-z4j-workflow="{operators.address("grouprecord_workflow", one.pk)}"' in shown
        assert "2 of 2" in shown
        assert "1 failed" in shown

    def test_at_most_12_queries(self) -> None:
        one = group("g", *["FAILURE"] * 20, kind="chord", body_id="b", root_id="r")
        client = operators.signed_in("z4j operator")
        with CaptureQueriesContext(connection) as captured:
            assert client.get(operators.address("grouprecord_change", one.pk)).status_code == 200
        assert len(captured) <= 12
