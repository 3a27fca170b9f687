"""The list of tasks, one task, and its timeline."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import resolve

from tests.integration import api_client
from tests.integration.api_client import ROOT, body, problem
from tests.integration.pages import NOW, SCRIPT, task
from z4j_django.api import fields
from z4j_django.api.serializers import tasks as serializers
from z4j_django.models import Release, TaskEvent, TaskRecord
from z4j_django.values import release_key

TASKS = f"{ROOT}tasks/"

pytestmark = pytest.mark.django_db

#: Ids that a client chose, and that are still to be found.
HOSTILE = (
    "a/b/c",
    "a/../b",
    "/begins",
    "ends/",
    "100%",
    "%2F",
    "a?b#c",
    "a b",
    "ä-ß-漢-😀",
    SCRIPT,
    "a\nb\r\tc",
    "'; DROP TABLE x; --",
    "..",
    "a;b=c,d:e@f",
    "x" * 255,
)


def listed(api: Any, query: str = "", **given: Any) -> list[str]:
    """The ids of the tasks that a list answers with."""
    answer = body(api.get(TASKS + query, given))
    return [row["task_id"] for row in answer["results"]]


def many(count: int, **fields: Any) -> None:
    TaskRecord.objects.bulk_create(
        TaskRecord(task_id=f"t{number}", sent_at=NOW + timedelta(seconds=number), **fields)
        for number in range(count)
    )


def whole(task_id: str = "whole", **fields: Any) -> TaskRecord:
    """A task of which everything is known."""
    return task(
        task_id,
        **{
            "name": "shop.pay",
            "state": "FAILURE",
            "queue": "mail",
            "exchange": "shop",
            "routing_key": "shop.mail",
            "priority": 3,
            "worker": "w1@host",
            "pid": 7,
            "args": [1, {"a": None}],
            "kwargs": {"user": "ä"},
            "result": -1.5,
            "exception_type": "shop.PayError",
            "exception_message": "no money",
            "traceback": "Traceback",
            "retries": 2,
            "deliveries": 3,
            "eta": NOW,
            "expires": NOW + timedelta(days=1),
            "sent_at": NOW,
            "received_at": NOW + timedelta(microseconds=1),
            "started_at": NOW + timedelta(seconds=1),
            "finished_at": NOW + timedelta(seconds=2),
            "runtime": 1.25,
            "root_id": "root",
            "parent_id": "parent",
            "group_id": "group",
            "group_index": 0,
            "chord_id": "chord",
            "schedule": "nightly",
            "origin": "1@web",
            "retry_of": "first",
            "operation": 9,
            "error": 0x0F1E2D3C4B5A6978,
            "release": release_key("shop 7"),
            **fields,
        },
    )


class TestRepresentation:
    def test_a_task_is_shown_whole(self, api) -> None:
        record = whole()
        key = release_key("shop 7")
        Release.objects.create(key=key, name="shop 7", first_seen=NOW, last_seen=NOW)
        shown = body(api.get(f"{TASKS}whole/"))
        assert shown.pop("url") == f"http://testserver{TASKS}whole/"
        assert shown.pop("row") == record.pk
        assert shown.pop("retried_as") == []
        assert shown["sent_at"] == "2026-03-04T12:00:00.000000Z"
        assert shown["received_at"] == "2026-03-04T12:00:00.000001Z"
        hidden = {"id", "attempt", "state_order", "facts_order", "next_steps"}
        columns = {field.attname for field in TaskRecord._meta.fields} - hidden
        assert shown.pop("status") == ""
        assert (shown.pop("error"), shown.pop("release")) == ("0f1e2d3c4b5a6978", "shop 7")
        columns -= {"error", "release"}
        assert shown.keys() == columns
        for column in columns:
            value = getattr(record, column)
            if not isinstance(value, datetime):
                assert shown[column] == value

    def test_the_quick_way_shows_what_the_serializer_does(self) -> None:
        for record in (whole(), task("bare")):
            request = RequestFactory().get(TASKS)
            request.resolver_match = resolve(TASKS)
            record.retried_as = []
            quick = serializers.Rows(request, serializers.DETAILED).row(record)
            slow = serializers.TaskDetailSerializer(record, context={"request": request})
            assert {**quick, "retried_as": []} == fields.Record.to_representation(slow, record)

    def test_a_list_leaves_the_large_columns_in_the_database(self, api) -> None:
        whole()
        with CaptureQueriesContext(connection) as captured:
            (shown,) = body(api.get(TASKS))["results"]
        large = {"args", "kwargs", "result", "exception_message", "traceback"}
        assert shown.keys() == set(serializers.DETAILED) - large - {"retried_as"}
        assert not any(f'"{column}"' in str(captured.captured_queries) for column in large)

    def test_fields_are_shown_as_they_are_asked_for(self, api) -> None:
        whole()
        (shown,) = body(api.get(TASKS, {"fields": "state,kwargs , task_id,state"}))["results"]
        assert list(shown.items()) == [
            ("state", "FAILURE"),
            ("kwargs", {"user": "ä"}),
            ("task_id", "whole"),
        ]
        assert body(api.get(f"{TASKS}whole/?fields=runtime")) == {"runtime": 1.25}

    @pytest.mark.parametrize("given", ["", ",", "state,nope", "attempt", "__class__", "id"])
    def test_fields_that_there_are_not_are_told(self, api, given: str) -> None:
        task("a")
        for address in (TASKS, f"{TASKS}a/"):
            (mistake,) = problem(api.get(address, {"fields": given}), 400)["errors"]
            assert mistake["name"] == "fields"
            assert "task_id" in mistake["reason"]

    def test_a_list_can_not_be_asked_for_what_only_one_task_has(self, api) -> None:
        problem(api.get(TASKS, {"fields": "retried_as"}), 400)

    def test_a_task_names_its_retries(self, api) -> None:
        task("a")
        for number in range(3):
            task(f"again-{number}", retry_of="a")
        task("strange", retry_of="a", project="other")
        shown = body(api.get(f"{TASKS}a/"))
        assert shown["retried_as"] == ["again-2", "again-1", "again-0"]

    def test_without_time_zones_moments_are_told_in_utc_all_the_same(self, api) -> None:
        with override_settings(USE_TZ=False, TIME_ZONE="Asia/Tokyo"):
            task("a", sent_at=datetime(2026, 3, 4, 21))
            shown = body(api.get(f"{TASKS}a/?fields=sent_at"))
        assert shown == {"sent_at": "2026-03-04T12:00:00.000000Z"}

    def test_whatever_stands_in_arguments_can_be_shown(self, api) -> None:
        value = {"a": [SCRIPT, 2**60, -1.5, None, {"ä\u2028": "😀"}]}
        task("a", kwargs=value)
        assert body(api.get(f"{TASKS}a/"))["kwargs"] == value


class TestOneTask:
    @pytest.mark.parametrize("task_id", HOSTILE)
    def test_it_is_found_by_its_address_whatever_its_id(self, api, task_id: str) -> None:
        task(task_id)
        (row,) = body(api.get(TASKS))["results"]
        # A slash in it leads nowhere else, whatever a client makes of "a/../b".
        assert row["url"].removeprefix("http://testserver").count("/") == ROOT.count("/") + 2
        if task_id != "..":  # clients take it for a step upwards
            assert body(api.get(row["url"]))["task_id"] == task_id
        assert body(api.get(api_client.address("tasks", task_id)))["task_id"] == task_id
        assert body(api.get(api_client.address("tasks", task_id, "events")))["results"] == []

    @pytest.mark.parametrize(
        "task_id", ["nope", "a%00b", "a ", "A", "x" * 256, "x" * 3000, "%ff", "a/nope"]
    )
    def test_one_that_is_not_on_record_is_told(self, api, task_id: str) -> None:
        task("a")
        for address in (f"{TASKS}{task_id}/", f"{TASKS}{task_id}/events/"):
            told = problem(api.get(address.replace(" ", "%20")), 404)
            assert told["detail"] == "There is no task of this id on record."

    def test_that_of_another_project_is_found_by_its_name(self, api) -> None:
        task("a", name="ours")
        task("a", name="theirs", project="other & co")
        ours = body(api.get(f"{TASKS}a/"))
        theirs = body(api.get(f"{TASKS}a/", {"project": "other & co"}))
        assert (ours["name"], theirs["name"]) == ("ours", "theirs")
        assert body(api.get(theirs["url"])) == theirs
        problem(api.get(f"{TASKS}a/?project=none"), 404)

    @pytest.mark.parametrize("project", ["", "x" * 65, "a%00"])
    def test_a_project_that_can_not_be_is_told(self, api, project: str) -> None:
        task("a")
        told = problem(api.get(f"{TASKS}a/?project={project}"), 400)
        assert told["errors"][0]["name"] == "project"

    def test_its_etag_changes_with_it(self, api) -> None:
        record = task("a")
        known = api.get(f"{TASKS}a/").headers["ETag"]
        asked = {"headers": {"If-None-Match": known}}
        assert api.get(f"{TASKS}a/", **asked).status_code == 304
        record.state = "STARTED"
        record.save()
        assert api.get(f"{TASKS}a/", **asked).status_code == 200

    def test_it_takes_few_queries(self, api, django_assert_max_num_queries) -> None:
        whole()
        with django_assert_max_num_queries(6):
            api.get(f"{TASKS}whole/")


class TestTimeline:
    def test_events_are_told_in_the_order_of_their_times(self, api) -> None:
        task("a")
        for kind, seconds in (("task_started", 2.5), ("task_sent", 0)):
            TaskEvent.objects.create(
                task_id="a", kind=kind, at=NOW + timedelta(seconds=seconds), worker="w", pid=1
            )
        TaskEvent.objects.create(task_id="a", kind="task_sent", at=NOW, project="other")
        answer = body(api.get(f"{TASKS}a/events/"))
        assert [event["kind"] for event in answer["results"]] == ["task_sent", "task_started"]
        second = answer["results"][1]
        assert second.pop("row")
        assert second == {
            "kind": "task_started",
            "at": "2026-03-04T12:00:02.500000Z",
            "since_previous": 2.5,
            "retries": 0,
            "worker": "w",
            "pid": 1,
            "detail": "",
        }
        assert (answer["more"], answer["notes"]) == (False, [])

    def test_more_than_are_shown_are_told_of(self, api) -> None:
        task("a")
        TaskEvent.objects.bulk_create(
            TaskEvent(task_id="a", kind="task_retry", at=NOW) for _ in range(501)
        )
        answer = body(api.get(f"{TASKS}a/events/"))
        assert (len(answer["results"]), answer["more"]) == (500, True)

    def test_that_none_is_kept_is_told(self, api, settings) -> None:
        settings.Z4J = {"TIMELINE": False}
        task("a")
        (note,) = body(api.get(f"{TASKS}a/events/"))["notes"]
        assert "TIMELINE" in note


class TestPages:
    def test_they_are_stable_whatever_comes_meanwhile(self, api) -> None:
        many(25)
        seen: list[str] = []
        address: str | None = f"{TASKS}?limit=10&fields=task_id"
        while address:
            answer = body(api.get(address))
            seen += [row["task_id"] for row in answer["results"]]
            TaskRecord.objects.bulk_create(
                TaskRecord(task_id=f"new-{len(seen)}-{number}") for number in range(3)
            )
            address = answer["next"]
        assert seen == [f"t{number}" for number in reversed(range(25))]

    @pytest.mark.parametrize(
        ("ordering", "newest_first"),
        [("", True), ("-id", True), ("id", False), ("-sent_at", True), ("sent_at", False)],
    )
    def test_they_are_walked_both_ways_in_each_order(
        self, api, ordering: str, newest_first: bool
    ) -> None:
        many(7)
        expected = [f"t{number}" for number in range(7)]
        if newest_first:
            expected.reverse()
        address = f"{TASKS}?limit=3" + (f"&ordering={ordering}" if ordering else "")
        pages = [body(api.get(address))]
        while pages[-1]["next"]:
            pages.append(body(api.get(pages[-1]["next"])))
        ids = [[row["task_id"] for row in page["results"]] for page in pages]
        assert ids == [expected[:3], expected[3:6], expected[6:]]
        assert pages[0]["previous"] is None
        back = body(api.get(pages[2]["previous"]))
        assert [row["task_id"] for row in back["results"]] == ids[1]
        first = body(api.get(back["previous"]))
        assert [row["task_id"] for row in first["results"]] == ids[0]
        assert first["previous"] is None

    def test_the_filter_goes_along(self, api) -> None:
        many(4, name="shop.ä&b", state="FAILURE")
        task("other", name="shop.c")
        answer = body(api.get(TASKS, {"limit": 3, "name": "shop.ä&b", "q": "state:failure"}))
        following = body(api.get(answer["next"]))
        assert [row["task_id"] for row in following["results"]] == ["t0"]

    def test_a_cursor_of_another_order_is_told(self, api) -> None:
        many(3)
        by_id = body(api.get(f"{TASKS}?limit=1"))["next"]
        by_time = body(api.get(f"{TASKS}?limit=1&ordering=sent_at"))["next"]
        for address in (f"{by_id}&ordering=sent_at", by_time.replace("sent_at", "id")):
            (mistake,) = problem(api.get(address), 400)["errors"]
            assert mistake["name"] == "cursor"

    @pytest.mark.parametrize("given", ["name", "-runtime", "task_id", "ID", "--id", "?"])
    def test_an_order_that_no_index_has_is_told(self, api, given: str) -> None:
        told = problem(api.get(TASKS, {"ordering": given}), 400)
        (mistake,) = told["errors"]
        assert (mistake["name"], mistake["term"]) == ("ordering", given)
        assert "-sent_at" in mistake["expected"]

    def test_one_by_the_start_wants_a_filter_that_finds_few(self, api) -> None:
        told = problem(api.get(TASKS, {"ordering": "started_at"}), 400)
        assert "a term that finds few tasks" in told["detail"]
        for number in range(3):
            task(f"t{number}", state="STARTED", started_at=NOW - timedelta(hours=number))
        query = {"q": "state:STARTED", "ordering": "started_at", "limit": 2}
        first = body(api.get(TASKS, query))
        rest = body(api.get(first["next"]))
        rows = [*first["results"], *rest["results"]]
        assert [row["task_id"] for row in rows] == ["t2", "t1", "t0"]

    @pytest.mark.parametrize("given", ["1", "200"])
    def test_limits_are_kept(self, api, given: str) -> None:
        many(201)
        assert len(listed(api, limit=given)) == int(given)
        assert len(listed(api)) == 50


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"state": "FAILURE"},
        {"q": "name:shop.* -queue:mail"},
        {"q": "pay"},
        {"runtime": ">1s"},
        {"sent": "<3h"},
        {"ordering": "sent_at"},
        {"kwargs.user": "1", "fields": "kwargs"},
        {"root": "x"},
    ],
)
def test_a_list_takes_a_handful_of_queries_and_counts_nothing(
    api, query: dict[str, str], django_assert_max_num_queries
) -> None:
    many(120, name="shop.pay", state="FAILURE", runtime=2)
    # Who asks, since when, the page (ways to it, its rows, and where its window ends), and what
    # is said of its rows.
    with django_assert_max_num_queries(7) as captured:
        api.get(TASKS, query)
    for one in captured.captured_queries:
        if "taskrecord" in one["sql"] and "is_due" not in one["sql"]:
            assert "COUNT(*)" not in one["sql"] or "LIMIT" in one["sql"]
            assert "LIMIT" in one["sql"] or "MIN(" in one["sql"] or "WITH RECURSIVE" in one["sql"]
