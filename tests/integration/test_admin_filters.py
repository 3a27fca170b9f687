"""The list of tasks under the filter that its sidebar and its search box make together."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration.operators import address
from tests.integration.pages import NOW, SCRIPT, TASKS, WORKERS, listed, task, text
from z4j_django.admin.readonly import ReadOnlyAdmin
from z4j_django.models import TaskRecord, WorkerRecord
from z4j_django.queries import pages
from z4j_django.queries.cursors import Key

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_pages(monkeypatch) -> None:
    monkeypatch.setattr(ReadOnlyAdmin, "list_per_page", 3)


@pytest.fixture
def small_window(monkeypatch, small_pages) -> None:
    monkeypatch.setattr(pages, "WINDOW", 5)


def walked(client: Client, way: str, response) -> list[list[str]]:
    """The pages from ``response`` on, by the links of one direction."""
    pages = [listed(response)]
    while getattr(response.context["cl"], f"has_{way}"):
        response = client.get(TASKS + getattr(response.context["cl"], f"{way}_link"))
        pages.append(listed(response))
    return pages


class TestSearch:
    @pytest.fixture(autouse=True)
    def _shop(self) -> None:
        task("a-pay", name="shop.pay", queue="mail", state="FAILURE", kwargs={"user_id": 42})
        task("b-pay", name="shop.pay", queue="bulk", state="FAILURE", runtime=9.0)
        task("c-ship", name="shop.ship", queue="mail", state="SUCCESS", runtime=1.0)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"q": "pay"}, ["b-pay", "a-pay"]),
            ({"q": "a-pay"}, ["a-pay"]),
            ({"q": "state:FAILURE"}, ["b-pay", "a-pay"]),
            ({"q": "pay queue:mail"}, ["a-pay"]),
            ({"q": "-name:shop.pay"}, ["c-ship"]),
            ({"q": "kwargs.user_id:42"}, ["a-pay"]),
            ({"q": "runtime:>5s"}, ["b-pay"]),
            ({"q": "runtime:>0", "queue": "mail"}, ["c-ship"]),
            ({"q": "state:FAILURE", "state": "SUCCESS"}, []),
            ({"q": "  ", "name": "shop.ship"}, ["c-ship"]),
        ],
    )
    def test_the_box_and_the_sidebar_are_one_filter(self, admin_client, query, expected) -> None:
        assert listed(admin_client.get(TASKS, query)) == expected

    @pytest.mark.parametrize("column", ["name", "queue", "worker"])
    @pytest.mark.parametrize(
        "value", ["shop.*", "a,b", 'say "x"', " x ", "-x", "a:b", "\\", SCRIPT]
    )
    def test_a_value_of_the_sidebar_is_taken_whole(self, admin_client, column, value) -> None:
        task("odd", **{column: value})
        task("other", **{column: "shop.other"})
        assert listed(admin_client.get(TASKS, {column: value})) == ["odd"]

    def test_the_help_names_every_term(self, admin_client) -> None:
        shown = text(admin_client.get(TASKS))
        for example in ("<code>name:shop.*</code>", "<code>sent:&gt;2h</code>", "(no index)"):
            assert example in shown


class TestMistakes:
    @pytest.fixture(autouse=True)
    def _one(self) -> None:
        task("a", name="shop.pay", state="FAILURE")

    @pytest.mark.parametrize(
        ("query", "place", "term", "expected"),
        [
            ("state:FAILURE runtime:&gt;5x", "At 15", "runtime:&gt;5x", "a length of time"),
            ("stat:FAILURE", "At 1", "stat:FAILURE", "perhaps state"),
            ("pay state:WRONG", "At 5", "state:WRONG", "a state"),
            ("sent:soon", "At 1", "sent:soon", "an age"),
            (f"name:{SCRIPT},", "At 1", "name:&lt;script&gt;", "a value"),
        ],
    )
    def test_one_is_named_with_its_place_and_nothing_is_listed(
        self, admin_client, query, place, term, expected
    ) -> None:
        response = admin_client.get(TASKS, {"q": query.replace("&gt;", ">")})
        shown = text(response)
        assert listed(response) == []
        note = re.search(r'<p class="z4j-alert".*?</p>', shown, re.S)
        assert note is not None
        for words in ("nothing is listed", f"{place}, &quot;{term}", expected):
            assert words in note[0]
        for way_to_act in ("Act on all that match", "_selected_action", "action-select"):
            assert way_to_act not in shown
        assert SCRIPT not in shown

    def test_one_beside_a_filter_of_the_sidebar_lists_nothing_either(self, admin_client) -> None:
        response = admin_client.get(TASKS, {"q": "sent:soon", "state": "FAILURE"})
        assert listed(response) == []
        assert "Act on all that match" not in text(response)

    def test_a_value_of_the_sidebar_that_can_not_be_is_said_likewise(self, admin_client) -> None:
        response = admin_client.get(TASKS, {"state": "WRONG"})
        assert listed(response) == []
        assert "&quot;state:WRONG&quot;: expected a state" in text(response)
        assert "Act on all that match" not in text(response)


class TestPaging:
    def test_every_task_is_met_once_on_the_way_down_and_up(self, admin_client, small_pages) -> None:
        for number in range(10):
            task(str(number), state="FAILURE", queue="mail" if number % 2 else "bulk")
        first = admin_client.get(TASKS, {"q": "state:FAILURE queue:mail"})
        assert walked(admin_client, "older", first) == [["9", "7", "5"], ["3", "1"]]
        last = admin_client.get(TASKS + first.context["cl"].older_link)
        assert walked(admin_client, "newer", last) == [["3", "1"], ["9", "7", "5"]]

    def test_a_place_is_a_token_and_an_old_number_still_leads_there(
        self, admin_client, small_pages
    ) -> None:
        records = [task(str(number)) for number in range(5)]
        older = admin_client.get(TASKS).context["cl"].older_link
        assert f"before={Key(records[2].pk).token()}" in older
        for before in (Key(records[2].pk).token(), records[2].pk):
            assert listed(admin_client.get(TASKS, {"before": before})) == ["1", "0"]

    @pytest.mark.parametrize("way", ["before", "after"])
    @pytest.mark.parametrize(
        "token",
        ["AAAA", "x" * 11, "!" * 22, "_" * 22, Key(7, NOW).token(), "0", str(2**63 - 1)],
    )
    @pytest.mark.parametrize("query", ["", "sent:..2030-01-01", "runtime:>5s"])
    def test_a_wrong_place_breaks_nothing(self, admin_client, way, token, query) -> None:
        task("a", sent_at=NOW)
        response = admin_client.get(TASKS, {way: token, "q": query})
        for link in ("newer_link", "older_link"):
            assert (
                admin_client.get(TASKS + getattr(response.context["cl"], link)).status_code == 200
            )

    def test_a_place_in_a_list_of_another_order_is_left_out_and_said(self, admin_client) -> None:
        one = task("a", sent_at=NOW)
        task("b", sent_at=NOW)
        token = Key(one.pk, NOW).token()
        response = admin_client.get(TASKS, {"before": token})
        assert listed(response) == ["b", "a"]
        assert "no place in a list of this order" in text(response)

    def test_a_range_of_the_sending_lists_in_its_order(self, admin_client, small_pages) -> None:
        now = timezone.now()
        for number, hours in enumerate((3, 1, 5, 2, 4, 6, 1)):
            task(f"{number}", sent_at=now - timedelta(hours=hours))
        task("unsent")
        first = admin_client.get(TASKS, {"q": "sent:<10h"})
        assert "by the time sent, newest first" in text(first)
        pages = walked(admin_client, "older", first)
        assert pages == [["6", "1", "3"], ["0", "4", "2"], ["5"]]
        last = admin_client.get(TASKS, {"q": "sent:<10h", "before": _token(first, 2)})
        assert walked(admin_client, "newer", last)[-1] == ["6", "1", "3"]


def _token(response, place: int) -> str:
    row = response.context["cl"].result_list[place]
    return Key(row.pk, row.sent_at).token()


@pytest.mark.usefixtures("small_window")
class TestWindow:
    """A page looks through five tasks here."""

    @pytest.fixture(autouse=True)
    def _some(self) -> None:
        for number in range(17):
            task(f"{number:02}", runtime=9.0 if number in (2, 3, 15) else 1.0)

    def test_a_page_that_ends_early_says_how_far_it_looked_and_why(self, admin_client) -> None:
        response = admin_client.get(TASKS, {"q": "runtime:>5s"})
        shown = text(response)
        assert listed(response) == ["15"]
        assert "This page looked through 5 tasks. 1 of them matches." in shown
        assert "Without an index: <code>runtime:&gt;5s</code>." in shown
        assert "1 on this page" in shown
        assert "Look further" in shown

    def test_an_empty_page_leads_further_and_is_not_the_end(self, admin_client) -> None:
        first = admin_client.get(TASKS, {"q": "runtime:>5s"})
        second = admin_client.get(TASKS + first.context["cl"].further_link)
        shown = text(second)
        assert listed(second) == []
        assert "None of them matches." in shown
        assert "No tasks match" not in shown
        assert "Act on all that match" in shown

    def test_looking_further_finds_them_all_down_and_up(self, admin_client) -> None:
        first = admin_client.get(TASKS, {"q": "runtime:>5s"})
        down = walked(admin_client, "older", first)
        assert [one for page in down for one in page] == ["15", "03", "02"]
        assert len(down) > 2
        beyond = admin_client.get(TASKS, {"q": "runtime:>5s", "before": row_of("00")})
        assert "No older tasks match." in text(beyond)
        up = walked(admin_client, "newer", beyond)
        assert [one for page in reversed(up) for one in page] == ["15", "03", "02"]

    def test_every_list_stops_looking_and_leads_further(self, admin_client) -> None:
        for number in range(8):
            WorkerRecord.objects.create(hostname=f"w{number}", online=number == 1)
        first = admin_client.get(WORKERS, {"online": "yes"})
        assert "This page looked through 5 workers. None of them matches." in text(first)
        second = admin_client.get(WORKERS + first.context["cl"].further_link)
        assert [one.hostname for one in second.context["cl"].result_list] == ["w1"]

    def test_looking_further_goes_up_where_the_page_was_read_upwards(self, admin_client) -> None:
        query = {"q": "runtime:>5s", "after": row_of("03")}
        response = admin_client.get(TASKS, query)
        assert "after=" in response.context["cl"].further_link

    def test_where_an_index_leads_none_is_missed(self, admin_client) -> None:
        for number in range(20):
            task(f"n{number:02}", name="shop.pay", runtime=1.0)
        shown = text(admin_client.get(TASKS, {"q": "name:shop.pay runtime:>5s"}))
        assert "This page looked through 5 tasks. None of them matches." in shown
        assert "Without an index" not in shown

    def test_the_last_page_is_told_to_be_the_last(self, admin_client) -> None:
        response = admin_client.get(TASKS, {"q": "runtime:>5s", "before": row_of("04")})
        assert listed(response) == ["03", "02"]
        assert "Look further" not in text(response)


def row_of(task_id: str) -> int:
    return TaskRecord.objects.get(task_id=task_id).pk


@pytest.mark.usefixtures("small_pages")
class TestTotals:
    @pytest.fixture(autouse=True)
    def _some(self) -> None:
        for number in range(7):
            task(
                str(number), state="FAILURE", name="shop.pay", queue="mail", sent_at=NOW,
                group_id="g", root_id="r",
            )  # fmt: skip

    def shown(self, client: Client, **query: str) -> tuple[str, list[str]]:
        with CaptureQueriesContext(connection) as captured:
            pages = re.search(
                r'<nav class="z4j-pages.*?</nav>', text(client.get(TASKS, query)), re.S
            )
        assert pages is not None
        counts = [one["sql"] for one in captured if "COUNT(" in one["sql"].upper()]
        return " ".join(re.sub(r"<[^>]*>", " ", pages[0]).split()), counts

    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"q": "state:FAILURE"},
            {"state": "FAILURE"},
            {"name": "shop.pay"},
            {"q": "queue:mail"},
            {"q": "group:g"},
            {"q": "sent:<999w"},
        ],
    )
    def test_what_lies_together_is_counted_to_a_bound(self, admin_client, query) -> None:
        words, counts = self.shown(admin_client, **query)
        assert words.startswith("3 of 7, ")
        assert all(re.search(r"LIMIT \d+\)? ", sql + " ") for sql in counts)

    @pytest.mark.parametrize(
        "query",
        [
            {"q": "state:FAILURE queue:mail"},
            {"q": "state:FAILURE,RETRY"},
            {"q": "-state:SUCCESS"},
            {"q": "name:shop.*"},
            {"q": "pay"},
            {"q": "root:r"},
            {"q": "project:default"},
            {"q": "retries:0"},
            {"q": "-queue:other"},
            {"name": "shop.pay", "queue": "mail"},
            {"q": "pay retries:0"},
        ],
    )
    def test_what_lies_among_others_is_not_counted(self, admin_client, query) -> None:
        words, counts = self.shown(admin_client, **query)
        assert words.startswith("3 of more than 3, newest first")
        assert not any("LIMIT 1001" in sql for sql in counts)

    def test_a_single_page_is_its_own_total(self, admin_client) -> None:
        task("x", queue="other", state="FAILURE")
        words, _ = self.shown(admin_client, q="state:FAILURE queue:other")
        assert words == "1, newest first"


class TestCost:
    @pytest.mark.parametrize(
        "query",
        [
            {"q": "pay"},
            {"q": "shop"},
            {"q": "pay sent:<999w runtime:>1s", "state": "FAILURE", "name": "shop.pay"},
            {"q": "name:shop.* queue:m* worker:w*"},
            {"q": "runtime:>1s kwargs.user_id:42"},
            {"q": "root:r", "worker": "w"},
            {"q": "sent:..2030-01-01 error:Oops"},
            {"state": "FAILURE", "name": "shop.pay", "queue": "mail", "worker": "w", "q": "abcd"},
        ],
        ids=str,
    )
    def test_a_filtered_list_takes_twelve_queries_at_most(
        self, admin_client, small_pages, query
    ) -> None:
        WorkerRecord.objects.create(hostname="w")
        for number in range(9):
            task(
                f"abcd{number}", name="shop.pay", state="FAILURE", queue="mail", worker="w",
                sent_at=NOW, runtime=2.0, kwargs={"user_id": 42}, exception_type="shop.Oops",
                root_id="r",
            )  # fmt: skip
        with CaptureQueriesContext(connection) as captured:
            response = admin_client.get(TASKS, query)
        assert len(captured) <= 12
        assert len(listed(response)) == 3
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(TASKS + response.context["cl"].older_link)
        assert len(captured) <= 12


class TestBulkLink:
    def test_it_leads_to_exactly_the_tasks_of_the_list(self, admin_client) -> None:
        task("a", name="shop.*", queue="mail", runtime=9.0)
        task("b", name="shop.pay", queue="mail", runtime=9.0)
        task("c", name="shop.*", queue="mail", runtime=1.0)
        query = {"name": "shop.*", "q": "runtime:>5s queue:m*"}
        response = admin_client.get(TASKS, query)
        assert listed(response) == ["a"]
        link = response.context["cl"].bulk_link
        assert link.startswith(address("taskrecord_bulk_retry"))
        preview = admin_client.get(link)
        assert "1 task matches" in text(preview)

    @pytest.mark.parametrize("query", [{}, {"q": ""}, {"q": "   "}, {"state": ""}])
    def test_there_is_none_where_nothing_is_filtered(self, admin_client, query) -> None:
        task("a")
        assert admin_client.get(TASKS, query).context["cl"].bulk_link == ""
