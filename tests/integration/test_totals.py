from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration.pages import GROUPS, TASKS, superuser, text
from z4j_django.admin import formatting
from z4j_django.admin.readonly import ReadOnlyAdmin
from z4j_django.models import TaskRecord
from z4j_django.queries import totals
from z4j_django.queries.totals import Total

pytestmark = pytest.mark.django_db


def records(count: int, **fields) -> None:
    TaskRecord.objects.bulk_create(
        TaskRecord(task_id=f"{fields.get('name', '')}{number}", **fields) for number in range(count)
    )


def analyze() -> None:
    """MySQL's ends the transaction of the test, and is not needed: its estimates are dives."""
    if connection.vendor != "mysql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {TaskRecord._meta.db_table}")


class TestTotal:
    @pytest.fixture(autouse=True)
    def _small_bounds(self, monkeypatch) -> None:
        monkeypatch.setattr(totals, "COUNT_LIMIT", 20)
        monkeypatch.setattr(totals, "ESTIMATE_FROM", 200)

    def test_few_are_counted(self) -> None:
        records(20, name="a")
        assert totals.total(TaskRecord.objects.filter(name="a")) == Total(20, "exact")

    def test_none_are_none(self) -> None:
        assert totals.total(TaskRecord.objects.filter(name="a")) == Total(0, "exact")
        assert totals.total(TaskRecord.objects.none()) == Total(0, "exact")

    def test_many_are_estimated(self) -> None:
        records(1000, name="a")
        analyze()
        total = totals.total(TaskRecord.objects.order_by("-id"))
        assert total.kind == "about"
        assert 500 <= total.count <= 2000

    def test_many_of_a_filter_are_estimated_where_the_database_can(self) -> None:
        records(1000, name="a")
        records(1000, name="b")
        analyze()
        total = totals.total(TaskRecord.objects.filter(name="a").order_by("-id"))
        if connection.vendor == "sqlite":
            assert total == Total(20, "over")
        else:
            assert total.kind == "about"
            assert 300 <= total.count <= 2000

    def test_what_an_index_does_not_hold_together_is_estimated_and_never_counted(self) -> None:
        records(1000, name="a", state="SUCCESS")
        analyze()
        few = TaskRecord.objects.filter(state="FAILURE")
        with CaptureQueriesContext(connection) as captured:
            assert totals.estimate(few) is None
            about = totals.estimate(TaskRecord.objects.filter(state="SUCCESS"))
        assert all(query["sql"].startswith("EXPLAIN") for query in captured)
        if connection.vendor == "sqlite":
            assert about is None
        else:
            assert about is not None
            assert about.kind == "about"
            assert 500 <= about.count <= 2000

    def test_without_an_estimate_there_are_more_than_were_counted(self, monkeypatch) -> None:
        records(21, name="a")
        monkeypatch.setattr(totals, "_estimate", lambda queryset: None)
        assert totals.total(TaskRecord.objects.all()) == Total(20, "over")

    def test_an_estimate_below_what_was_counted_is_not_believed(self, monkeypatch) -> None:
        records(21, name="a")
        monkeypatch.setattr(totals, "_estimate", lambda queryset: 3)
        assert totals.total(TaskRecord.objects.all()) == Total(20, "over")

    def test_two_queries_at_most_and_none_that_counts_a_table(self) -> None:
        records(100, name="a")
        with CaptureQueriesContext(connection) as captured:
            totals.total(TaskRecord.objects.filter(name="a").order_by("-id"))
        assert len(captured) <= 2
        counts = [one["sql"] for one in captured if "COUNT(" in one["sql"].upper()]
        assert all(re.search(r"LIMIT 21\) ", sql) for sql in counts)


class TestWords:
    @pytest.mark.parametrize(
        ("total", "words"),
        [
            (Total(0, "exact"), "0"),
            (Total(1000, "exact"), "1,000"),
            (Total(1000, "over"), "more than 1,000"),
            (Total(1049, "about"), "about 1,000"),
            (Total(52_345, "about"), "about 52,000"),
            (Total(994_999, "about"), "about 990,000"),
            (Total(999_999, "about"), "about 1,000,000"),
            (Total(10_234_567, "about"), "about 10.2 million"),
            (Total(2_500_000_000, "about"), "about 2.5 billion"),
        ],
    )
    def test_a_total_says_how_sure_it_is(self, total, words) -> None:
        assert formatting.total(total) == words


class TestList:
    @pytest.fixture
    def _small_pages(self, monkeypatch) -> None:
        monkeypatch.setattr(ReadOnlyAdmin, "list_per_page", 3)

    def shown(self, address: str, **parameters) -> str:
        pages = re.search(r'<nav class="z4j-pages.*?</nav>', self.page(address, **parameters), re.S)
        assert pages is not None
        return " ".join(re.sub(r"<[^>]*>", " ", pages[0]).split())

    def page(self, address: str, **parameters) -> str:
        return text(superuser().get(address, parameters))

    def test_one_page_is_its_own_total(self) -> None:
        records(2)
        assert self.shown(TASKS) == "2, newest first"

    @pytest.mark.usefixtures("_small_pages")
    def test_a_small_total_is_exact(self) -> None:
        records(7)
        assert self.shown(TASKS, state="PENDING").startswith("3 of 7, newest first")

    @pytest.mark.usefixtures("_small_pages")
    def test_an_estimated_total_is_labelled(self, monkeypatch) -> None:
        records(7)
        monkeypatch.setattr(totals, "_estimate", lambda queryset: 10_234_567)
        assert self.shown(TASKS).startswith("3 of about 10.2 million, newest first")

    @pytest.mark.usefixtures("_small_pages")
    def test_the_successes_have_an_estimate_too(self, monkeypatch) -> None:
        records(7, name="a", state="SUCCESS")
        monkeypatch.setattr(totals, "_estimate", lambda queryset: 9_612_345)
        client = superuser()
        assert "about 9.6 million" in text(client.get(f"{TASKS}?state=SUCCESS"))
        assert "about 9.6 million" in text(client.get(f"{TASKS}?state=SUCCESS&name=a"))
        assert "million" not in text(client.get(f"{TASKS}?q=state:SUCCESS retries:0"))

    @pytest.mark.usefixtures("_small_pages")
    def test_the_last_page_knows_the_total_of_all(self) -> None:
        records(7)
        oldest = TaskRecord.objects.order_by("id")[0].pk
        assert "1 of 7, newest first" in self.shown(TASKS, before=oldest + 1)

    def test_an_empty_list_has_no_total(self) -> None:
        assert self.shown(GROUPS) == ""

    @pytest.mark.usefixtures("_small_pages")
    def test_a_filtered_search_takes_twelve_queries_at_most(self) -> None:
        records(7, name="shop.pay", state="FAILURE")
        client = superuser()
        with CaptureQueriesContext(connection) as captured:
            client.get(TASKS, {"q": "shop", "state": "FAILURE"})
        assert len(captured) <= 12
