"""In which order a filter's tasks come, and which of its terms stand on an index."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration.test_filters import FAILED, NOW, RECORDS, TOP, examples, found, keep
from z4j_django import exceptions, states
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import pages, tasks
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.filter import index_choice

pytestmark = pytest.mark.django_db


class TestOrder:
    @pytest.mark.parametrize(
        ("text", "order"),
        [
            ("", "-id"),
            ("state:SUCCESS", "-id"),
            ("sent:>2h", "-sent_at"),
            ("sent:2026-11-20 name:shop.*", "-sent_at"),
            ("sent:>2h state:PENDING", "-id"),
            ("sent:<2h name:shop.*", "-id"),
            ("sent:<2h runtime:>5s", "-sent_at"),
            ("-sent:<2h", "-id"),
            ("sent:>2h id:x", "-id"),
        ],
    )
    def test_it_follows_from_what_leads(self, text: str, order: str) -> None:
        assert filters.parse(text).order() == order
        assert filters.parse(text).order("sent_at") == "sent_at"

    def test_only_indexed_ones_are_given(self) -> None:
        with pytest.raises(exceptions.FilterError) as told:
            filters.Filter().order("runtime")
        assert str(told.value) == (
            '"runtime": expected one of -id, id, -sent_at, sent_at, started_at, -started_at.'
        )

    def test_what_has_been_running_longest_comes_first_where_it_is_asked_for(self) -> None:
        ages = {"a": 5, "b": 50, "c": 1, "d": 50, "e": 20}
        keep(
            {
                name: {
                    "name": "run",
                    "state": "STARTED",
                    "started_at": NOW - timedelta(minutes=age),
                }
                for name, age in ages.items()
            }
            | {
                "ended": {"name": "run", "state": "SUCCESS", "started_at": NOW},
                "waits": {"name": "run", "state": "PENDING"},
            }
        )
        running, everything = filters.parse("state:STARTED name:r*"), TaskRecord.objects.all()
        for order, names in (("started_at", "bdeac"), ("-started_at", "caedb")):
            walked = running.pages(everything, 10, 2, order=order)
            assert [one.task_id for page in walked for one in page] == list(names)
            second = running.page(everything, TOP, 2, order=order).following
            page = running.page(everything, Cursor(before=second), 2, order=order)
            back = running.page(everything, Cursor(after=page.preceding), 2, order=order)
            assert [one.task_id for one in back.rows] == list(names[:2])
        slow = filters.parse("state:STARTED runtime:>30m", now=NOW)
        found = slow.page(everything, TOP, 10, order="started_at").rows
        assert [one.task_id for one in found] == ["b", "d"]

    @pytest.mark.parametrize("text", ["", "-queue:mail", "runtime:>5s", "state:STARTED"])
    def test_more_than_can_be_sorted_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        keep({name: {"state": "STARTED", "started_at": NOW} for name in "abc"})
        monkeypatch.setattr(pages, "WINDOW", 2)
        with pytest.raises(exceptions.FilterError, match="beside it a term that finds few tasks"):
            filters.parse(text).page(TaskRecord.objects.all(), TOP, 3, order="started_at")

    def test_a_place_of_another_order_is_refused(self) -> None:
        keep(RECORDS)
        page = filters.Filter().page(TaskRecord.objects.all(), TOP, 3, order="-sent_at")
        assert page.following is not None
        place = Cursor(before=page.following)
        for asked in ("", "state:FAILURE"):
            with pytest.raises(ValueError, match="another order"):
                filters.parse(asked).page(TaskRecord.objects.all(), place, 3, order="-id")
        with pytest.raises(ValueError, match="another order"):
            filters.Filter().page(TaskRecord.objects.all(), Cursor(before=3), 3, order="-sent_at")


class TestIndexes:
    @pytest.mark.parametrize(
        ("text", "unindexed"),
        [
            ("", ()),
            ("state:SUCCESS -name:celery.*", ()),
            ("kwargs.user_id:42", ("kwargs.user_id:42",)),
            ("runtime:>5s -args.0:7 state:SUCCESS", ("runtime:>5s", "-args.0:7")),
            ("runtime:>5s state:FAILURE", ()),
            ("runtime:>5s -state:SUCCESS", ()),
            ("runtime:>5s sent:<2h", ()),
            ("runtime:>5s queue:mail", ()),
            ('runtime:>5s queue:""', ("runtime:>5s",)),
            ("runtime:>5s word", ()),
        ],
    )
    def test_what_stands_on_none_is_told(self, text: str, unindexed: tuple[str, ...]) -> None:
        assert filters.parse(text).unindexed() == unindexed

    def test_every_state_leads_but_the_one_that_most_tasks_have(self) -> None:
        for state in states.ALL:
            leads = index_choice.candidates(filters.parse(f"state:{state}").terms)
            assert bool(leads) == (state != "SUCCESS")

    def test_the_only_project_narrows_nothing(self) -> None:
        for projects in (1, 2):
            keep({f"t{projects}": {**FAILED, "project": f"p{projects}"}})
            with CaptureQueriesContext(connection) as captured:
                assert found("state:FAILURE project:p1") == ["t1"]
            # The end of a window is looked for where one is needed.
            assert any("OFFSET" in one["sql"] for one in captured) == (projects > 1)

    @pytest.mark.parametrize("order", filters.ORDERINGS)
    def test_a_page_takes_few_queries(self, order: str) -> None:
        keep(RECORDS)
        for text in examples():
            asked = filters.parse(text, now=NOW)
            for queryset in (
                tasks.summaries(TaskRecord.objects.all()),
                TaskRecord.objects.only("id"),
            ):
                with CaptureQueriesContext(connection) as captured:
                    asked.page(queryset, TOP, 3, order=order)
                assert len(captured) <= 6, text
