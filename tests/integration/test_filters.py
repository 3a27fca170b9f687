"""What filters find and refuse, on whichever database the tests run."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from z4j_django import exceptions
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import pages
from z4j_django.queries.cursors import Cursor
from z4j_django.values import release_key

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "filters.md"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
TOP = Cursor()


def examples() -> list[str]:
    """The filters of the page's table, in its order."""
    table = PAGE.read_text().partition("| Filter | Finds |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)


def documented() -> list[tuple[str, str, str]]:
    """The rows of the page's table of terms."""
    return re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)


def known() -> list[tuple[str, str, str]]:
    """The rows that it has to have."""
    return [(kind.name, kind.shape, kind.help) for kind in filters.TERMS.values()]


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


ORDER = {"customer": 7, "lines": [{"sku": "B 12", "count": 1}, {"sku": "C 3", "count": 2}]}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
FAILED = {"state": "FAILURE", "exception_message": "it was to fail"}
RECORDS: dict[str, dict[str, Any]] = {
    "order-1": {
        "name": "shop.place_order",
        "state": "SUCCESS",
        "queue": "orders",
        "worker": "w1@shop-1",
        "root_id": "order-1",
        "trace_id": TRACE,
        "args": [7, "web"],
        "kwargs": {"order": ORDER, "user_id": 42},
        "sent_at": at("2026-11-20T09:00:00"),
        "finished_at": at("2026-11-20T09:00:02"),
        "runtime": 1.5,
    },
    "charge-1": {
        "name": "shop.charge_card",
        **FAILED,
        "queue": "orders",
        "worker": "w1@shop-1",
        "root_id": "order-1",
        "parent_id": "order-1",
        "trace_id": TRACE,
        "kwargs": {"user_id": "42"},
        "exception_type": "HttpClient.ReadTimeout",
        "retries": 3,
        "sent_at": at("2026-11-20T09:00:01"),
        "finished_at": at("2026-11-20T09:05:00"),
        "runtime": 30.0,
    },
    "mail-1": {
        "name": "shop.mail.confirm",
        "state": "PENDING",
        "queue": "mail",
        "root_id": "order-1",
        "parent_id": "order-1",
        "kwargs": {"user_id": 421, "order": {"lines": []}},
        "sent_at": at("2026-11-21T11:59:00"),
    },
    "mail-2": {
        "name": "shop.mail.remind",
        "state": "RECEIVED",
        "queue": "mail",
        "worker": "w2@shop-2",
        "args": ["7"],
        "sent_at": at("2026-11-21T09:59:59"),
    },
    "mail-3": {
        "name": "shop.mail.remind",
        "state": "SUCCESS",
        "queue": "mail",
        "worker": "w2@shop-2",
        "args": [17],
        "sent_at": at("2026-11-21T08:00:00"),
        "finished_at": at("2026-11-21T08:00:05"),
        "runtime": 5.0,
    },
    "part-1": {
        "name": "shop.pack",
        "state": "SUCCESS",
        "queue": "bulk",
        "worker": "w1@shop-2",
        "group_id": "checkout-7",
        "group_index": 1,
        "sent_at": at("2026-11-20T00:00:00"),
        "finished_at": at("2026-11-01T00:00:00"),
        "runtime": 5.001,
    },
    "part-2": {
        "name": "shop.pack",
        **FAILED,
        "queue": "bulk",
        "worker": "w2@shop-2",
        "group_id": "checkout-7",
        "group_index": 0,
        "exception_type": "Client.TimeoutError",
        "error": 0x0F1E2D3C4B5A6978,
        "release": release_key("2026.11.2"),
        "sent_at": at("2026-11-20T23:59:59.999999"),
        "finished_at": at("2026-11-02T23:59:59.999999"),
        "runtime": 6.0,
    },
    "pack-9": {
        "name": "shop.pack",
        "state": "REVOKED",
        "queue": "bulk",
        "group_id": "checkout-70",
        "sent_at": at("2026-11-19T23:59:59.999999"),
        "finished_at": at("2026-11-03T00:00:00"),
    },
    "report-1": {
        "name": "reports.nightly",
        "state": "SUCCESS",
        "queue": "reports",
        "worker": "w1@shop-1",
        "schedule": "nightly-report",
        "sent_at": at("2026-11-21T02:00:00"),
        "finished_at": at("2026-11-21T02:10:00"),
        "runtime": 600.0,
    },
    "report-2": {
        "name": "reports.nightly",
        **FAILED,
        "queue": "reports",
        "worker": "w1@shop-1",
        "schedule": "nightly-report",
        "exception_type": "TimeoutError",
        "retries": 1,
        "sent_at": at("2026-11-06T02:00:00"),
        "finished_at": at("2026-10-31T23:59:59.999999"),
        "runtime": 900.0,
    },
    "clean-1": {
        "name": "celery.backend_cleanup",
        "state": "SUCCESS",
        "worker": "w1@shop-1",
        "schedule": "celery.backend_cleanup",
        "runtime": 0.2,
    },
    "again-1": {
        "name": "shop.charge_card",
        "state": "RETRY",
        "queue": "orders",
        "worker": "w2@shop-2",
        "root_id": "order-10",
        "kwargs": {"user_id": 42.0},
        "exception_type": "HttpError",
        "retries": 2,
        "sent_at": at("2026-11-21T11:00:00"),
    },
    "wait-1": {
        "name": "shop.wait",
        "state": "PENDING",
        "queue": "later",
        "eta": at("2026-11-21T12:10:00"),
    },
    "wait-2": {
        "name": "shop.wait",
        "state": "RECEIVED",
        "queue": "later",
        "retries": 1,
        "eta": at("2026-11-21T12:10:00"),
    },
    "foreign-1": {
        "project": "other",
        "name": "shop.charge_card",
        **FAILED,
        "queue": "mail",
        "args": [7],
        "kwargs": {"order": {"lines": {"0": {"sku": "B 12"}}}},
        "exception_type": "builtins.timeouterror",
    },
}

#: What each example of the page finds, in its order.
FOUND = (
    "charge-1 part-2 report-2 foreign-1",
    "charge-1 part-2 pack-9 foreign-1",
    "mail-1 mail-2 foreign-1",
    "charge-1 again-1 foreign-1",
    "order-1 charge-1 mail-1 mail-2 mail-3 part-1 part-2 pack-9 report-1 report-2 again-1 "
    "wait-1 wait-2 foreign-1",
    "clean-1",
    "charge-1 report-2",
    "order-1 charge-1 again-1",
    "order-1 mail-2 foreign-1",
    "order-1",
    "part-2 report-2",
    "part-2",
    "part-2",
    "charge-1 again-1",
    "mail-2",
    "order-1 charge-1",
    "part-1 part-2",
    "part-1 report-1",
    "part-1 part-2",
    "order-1 charge-1 mail-1",
    "report-1",
    "order-1 charge-1",
    "wait-1 wait-2",
    "charge-1 foreign-1",
)


def keep(records: dict[str, dict[str, Any]]) -> None:
    for task_id, fields in records.items():
        TaskRecord.objects.create(task_id=task_id, **fields)


def found(asked: filters.Filter | str, order: str = "") -> list[str]:
    if isinstance(asked, str):
        asked = filters.parse(asked, now=NOW)
    page = asked.page(TaskRecord.objects.all(), TOP, 100, order=order)
    assert page.following is None
    return [task.task_id for task in page.rows]


class TestExamples:
    """The page's table: the same on every database."""

    def test_there_are_as_many(self) -> None:
        assert len(examples()) == len(set(examples())) == len(FOUND) == 24

    @pytest.mark.parametrize(
        ("text", "expected"), list(zip(examples(), FOUND, strict=True)), ids=examples()
    )
    def test_each_finds_what_it_says(self, text: str, expected: str) -> None:
        keep(RECORDS)
        asked = filters.parse(text, now=NOW)
        assert sorted(found(asked)) == sorted(expected.split())
        matching = asked.matches(TaskRecord.objects.all())
        assert {task.task_id for task in matching} == set(expected.split())

    def test_between_them_they_have_every_term(self) -> None:
        used = {term.name for text in examples() for term in filters.parse(text).terms}
        rare = {"", "id", "parent", "retry_of", "project", "received", "started"}
        assert used | rare | {"deliveries", "priority"} == {"", *filters.TERMS}

    def test_the_page_lists_the_terms_as_they_are(self) -> None:
        assert documented() == known()
        for kind in filters.TERMS.values():
            assert str(filters.parse(kind.example)) == kind.example

    def test_the_page_quotes_a_mistake_as_it_is_told(self) -> None:
        with pytest.raises(exceptions.FilterError) as told:
            filters.parse("state:FAILURE runtime:>5x")
        assert f"> {told.value}\n" in PAGE.read_text()


class TestMeaning:
    def test_the_failures_of_one_name_are_found_whatever_else_failed(self) -> None:
        keep(RECORDS)
        assert found("state:FAILURE,REVOKED name:shop.pack") == ["pack-9", "part-2"]

    def test_a_day_is_one_of_the_current_time_zone(self) -> None:
        keep(RECORDS)
        with timezone.override("Asia/Tokyo"):
            assert set(found("sent:2026-11-21")) == {
                *("part-2", "mail-1", "mail-2", "mail-3", "report-1", "again-1")
            }

    def test_ages_count_back_from_the_moment_given(self) -> None:
        keep(RECORDS)
        assert found("sent:<61m") == ["mail-1", "again-1"]
        later = filters.parse("sent:<61m", now=NOW + timedelta(minutes=1))
        assert found(later) == ["mail-1"]

    def test_free_words_have_to_hold_all(self) -> None:
        keep(RECORDS)
        assert found("mail remind") == ["mail-3", "mail-2"]
        assert found("mail -remind") == ["mail-1"]
        assert found("SHOP.MAIL*") == ["mail-3", "mail-2", "mail-1"]
        assert found('"shop:" ') == []

    def test_an_id_with_a_common_beginning_is_found_as_well(self, monkeypatch) -> None:
        keep(RECORDS)
        monkeypatch.setattr(pages, "WINDOW", 2)
        place, seen = TOP, []
        while place.before is not None or not seen:
            page = filters.parse("mail-").page(TaskRecord.objects.all(), place, 5)
            seen += [task.task_id for task in page.rows] or [""]
            place = Cursor(before=page.following)
        assert [task_id for task_id in seen if task_id] == ["mail-3", "mail-2", "mail-1"]

    def test_a_plain_parameter_means_the_term(self) -> None:
        keep(RECORDS)
        assert found(filters.term("state", " failure,revoked ")) == found("state:FAILURE,REVOKED")
        assert found(filters.term("schedule", "celery.backend_cleanup")) == ["clean-1"]
        assert found(filters.term("kwargs.user_id", "421")) == ["mail-1"]
        assert str(filters.term("name", "a b*")) == 'name:"a b"*'

    def test_filters_are_joined(self) -> None:
        keep(RECORDS)
        both = filters.parse("state:FAILURE", now=NOW) & filters.term("queue", "bulk")
        assert (str(both), both.now) == ("state:FAILURE queue:bulk", NOW)
        assert found(both) == ["part-2"]
        assert both & both == both
        assert filters.Filter().is_empty
        assert not both.is_empty
