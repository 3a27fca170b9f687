"""The page of a workflow: its picture's data, its waterfall, its list."""

from __future__ import annotations

import json
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.integration import operators
from tests.integration.pages import SCRIPT, text
from tests.integration.test_flows import at, timed
from tests.integration.test_graphs import chord_of, many, recorded
from z4j_django.models import GroupRecord, TaskEvent, TaskRecord
from z4j_django.queries import graphs

pytestmark = pytest.mark.django_db


def address(record, query: str = "") -> str:
    model = record._meta.model_name
    return reverse(f"admin:z4j_django_{model}_workflow", args=[record.pk]) + query


def chord(size: int = 50) -> TaskRecord:
    """A chord that a task published; three members failed, and its body was never sent."""
    timed("r", 0, 1, 2, name="shop.import")
    recorded("g", kind="chord", size=size, body_id="body", root_id="r")
    for n in range(size):
        state = "FAILURE" if n in (7, 20, 33) else "SUCCESS"
        place = {"group_id": "g", "group_index": n, "chord_id": "body", "parent_id": "r"}
        timed(f"m{n}", 2, 3 + n, 4 + n, name="shop.resize", state=state, **place)
    TaskRecord.objects.create(task_id="body", name="shop.tell", root_id="r")
    return TaskRecord.objects.get(task_id="r")


def picture(response) -> dict:
    found = re.search(r'<script id="z4j-flow-data"[^>]*>(.*?)</script>', text(response), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


class TestPicture:
    def test_what_is_alike_is_one_node_with_what_became_of_it(self, admin_client) -> None:
        found = picture(admin_client.get(address(chord())))
        first, members, body = found["nodes"]
        assert (first["name"], first["said"]) == ("shop.import", "SUCCESS · 1.00 s")
        assert (members["name"], members["count"]) == ("shop.resize", 50)
        assert members["said"] == "47 of 50, 3 failed"
        assert members["counts"] == [["failure", 3], ["success", 47]]
        assert (body["said"], body["unsent"]) == ("NEVER SENT", True)
        assert found["links"] == [[0, 1, 1], [1, 2, 0]]

    def test_a_node_is_opened_and_all_is_told_in_a_sentence(self, admin_client) -> None:
        root = chord()
        folded = picture(admin_client.get(address(root)))["nodes"][1]["url"]
        response = admin_client.get(folded)
        assert len(picture(response)["nodes"]) == 52
        shown = text(response)
        assert "52 tasks: 48 succeeded, 3 failed, 1 never sent." in shown
        assert "It took 53.00 s." in shown
        assert "The critical path of 2 tasks waited 51.00 s and ran 2.00 s." in shown
        assert "Fold what is alike" in shown

    def test_the_list_says_the_same_without_scripts(self, admin_client) -> None:
        root = chord()
        listed = text(admin_client.get(address(root))).split("z4j-flow-outline")[1]
        for one in (
            "shop.import",
            "shop.resize</bdi> &times; 50: 47 of 50, 3 failed",
            "NEVER SENT",
        ):
            assert one in listed
        failed = re.search(r'href="([^"]*)">The 3 that failed', listed)
        assert failed is not None
        found = admin_client.get(failed[1].replace("&amp;", "&"))
        assert len(found.context["cl"].result_list) == 3

    def test_retries_are_one_node(self, admin_client) -> None:
        timed("r", 0, 1, 2, state="FAILURE")
        again = timed("again", 3, 4, 5, root_id="again", retry_of="r")
        [only] = picture(admin_client.get(address(again)))["nodes"]
        assert only["said"] == "SUCCESS · 1.00 s · 2 attempts"

    def test_a_group_has_the_same_page(self, admin_client) -> None:
        root = chord()
        group = GroupRecord.objects.get()
        mine, theirs = (picture(admin_client.get(address(one))) for one in (group, root))
        assert mine["links"] == theirs["links"]
        assert [node["said"] for node in mine["nodes"]] == [
            node["said"] for node in theirs["nodes"]
        ]

    def test_of_more_than_there_is_room_for_it_says_so(self, admin_client, monkeypatch) -> None:
        monkeypatch.setattr(graphs, "LIMIT", 20)
        assert "These are the first 20 tasks; there are more." in text(
            admin_client.get(address(chord()))
        )


class TestWaterfall:
    def test_one_row_a_task_in_the_order_of_time(self, admin_client) -> None:
        chord(4)
        timed("s", 2.5, 8, 10, name="shop.sync", parent_id="r", retries=2, deliveries=3)
        for seconds in (3, 5, 8):
            TaskEvent.objects.create(task_id="s", kind="task_started", at=at(seconds))
        root = TaskRecord.objects.get(task_id="r")
        shown = text(admin_client.get(address(root, "?view=waterfall")))
        rows = shown.split("<tbody>")[1].split("<tr ")[1:]
        assert len(rows) == 7
        assert "z4j-flow-critical" in rows[0]
        # The axis has 10 s: waited from 2.5 to 8, began at 3 and 5 before.
        sync = next(row for row in rows if "shop.sync" in row)
        bars = re.findall(r'<rect class="([^"]+)" x="([\d.]+)" width="([\d.]+)"', sync)
        assert bars == [
            ("z4j-flow-wait", "250.0", "750.0"),
            ("z4j-flow-run z4j-flow-run-success", "800.0", "200.0"),
            ("z4j-flow-mark", "300.0", "2"),
            ("z4j-flow-mark", "500.0", "2"),
        ]
        assert "waited 5.50 s, ran 2.00 s, 2 attempts before" in sync
        assert "shop.tell" in rows[-1]

    def test_what_took_no_time_has_its_place_too(self, admin_client) -> None:
        root = timed("r", 0, 0, 0)
        assert 'width="3.0"' in text(admin_client.get(address(root, "?view=waterfall")))
        root = TaskRecord.objects.create(task_id="a", name="a")
        assert "no times on record" in text(admin_client.get(address(root, "?view=waterfall")))


class TestWho:
    @pytest.mark.parametrize(
        ("who", "status"),
        [("anonymous", 302), ("no staff", 302), ("staff", 403), ("z4j viewer", 200)],
    )
    def test_it_wants_the_permission_of_what_it_shows(self, who: str, status: int) -> None:
        root = chord(2)
        client = operators.signed_in(who)
        assert client.get(address(root)).status_code == status
        assert client.get(address(GroupRecord.objects.get())).status_code == status

    @pytest.mark.parametrize("codename", ["view_taskrecord", "view_grouprecord"])
    def test_one_of_the_two_permissions_is_not_enough(self, codename: str) -> None:
        root = chord(2)
        client = operators.signed_in("staff")
        operators.grant(client.get("/").wsgi_request.user, codename)
        assert client.get(address(root)).status_code == 403

    def test_what_is_not_on_record_is_not_found(self, admin_client) -> None:
        root = chord(2)
        for number in ("0", "x", "9" * 30):
            where = address(root).replace(f"/{root.pk}/", f"/{number}/")
            assert admin_client.get(where).status_code == 404
        assert admin_client.post(address(root)).status_code == 405


class TestCost:
    @pytest.mark.parametrize("view", ["", "?view=waterfall"])
    @pytest.mark.parametrize("start", ["r", "m3", "body", "g"])
    def test_at_most_12_queries(self, start: str, view: str) -> None:
        chord(50)
        TaskRecord.objects.filter(task_id="m3").update(retries=1)
        if start == "g":
            record = GroupRecord.objects.get()
        else:
            record = TaskRecord.objects.get(task_id=start)
        client = operators.signed_in("z4j viewer")
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address(record, view)).status_code == 200
        assert len(captured) <= 12

    @pytest.mark.parametrize("start", ["m3", "body", "g"])
    @pytest.mark.parametrize("size", [50, 998])
    def test_at_most_12_queries_where_no_task_published_it(self, start: str, size: int) -> None:
        chord_of(size)
        model = GroupRecord if start == "g" else TaskRecord
        record = model.objects.get(**{"group_id" if start == "g" else "task_id": start})
        client = operators.signed_in("z4j viewer")
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address(record)).status_code == 200
        # MySQL and MariaDB are asked for 190 values at once.
        more = 5 * (size // 190) if connection.vendor == "mysql" else 0
        assert len(captured) <= 12 + more


class TestHostile:
    @pytest.mark.parametrize(
        "name",
        [
            SCRIPT,
            "x" * 255,
            "\u202eevil\u2066",
            "🛒" * 100,
            "</script><b>",
            "' onload=x \"",
            "\ud7ff",
        ],
    )
    @pytest.mark.parametrize("view", ["", "?view=waterfall"])
    def test_names_are_only_text(self, admin_client: Client, name: str, view: str) -> None:
        recorded(name[:255], kind="chord", size=7, body_id="body")
        many(
            {
                "task_id": f"{n}{name}"[:255],
                "name": name,
                "group_id": name[:255],
                "state": "FAILURE",
            }
            for n in range(7)
        )
        record = TaskRecord.objects.earliest("id")
        shown = text(admin_client.get(address(record, view)))
        assert "<script>alert" not in shown
        assert "</script><b>" not in shown
        assert 'onload=x "' not in shown
        if not view:
            assert picture(admin_client.get(address(record)))["nodes"][0]["count"] == 7

    def test_an_address_may_ask_for_anything(self, admin_client) -> None:
        root = chord(2)
        for query in (
            "?open=%00",
            "?open=" + "x" * 3000,
            "?view=%27",
            "?part=none",
            "?open=1" * 50,
        ):
            assert admin_client.get(address(root) + query).status_code == 200

    def test_times_of_clocks_that_disagree_stay_on_the_axis(self, admin_client) -> None:
        timed("r", 100, 50, 20)
        timed("s", 0, 500, 400, parent_id="r")
        task = TaskRecord.objects.get(task_id="r")
        shown = text(admin_client.get(address(task, "?view=waterfall")))
        for x, width in re.findall(r' x="([-\d.]+)" width="([-\d.]+)"', shown):
            assert 0 <= float(x) <= 1000
            assert 0 < float(width) <= 1000
