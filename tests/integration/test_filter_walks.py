"""Pages of a filter: together they have each task once, whichever way and however narrowed."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration import filter_model, filter_records
from tests.integration.filter_model import Said
from tests.integration.filter_records import NOW
from z4j_django.models import TaskRecord, WorkerRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import pages, tasks
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.filter import conditions
from z4j_django.queries.pages import Page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_records")]

TOP = Cursor()
ORDERS = st.sampled_from(("", *filters.ORDERINGS))
SAID = st.lists(filter_model.terms(), max_size=4)


@pytest.fixture(scope="module")
def _records(django_db_setup, django_db_blocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        TaskRecord.objects.bulk_create(filter_records.records())
        WorkerRecord.objects.bulk_create(filter_records.CREW.values())
        yield
        TaskRecord.objects.all().delete()
        WorkerRecord.objects.all().delete()


@contextlib.contextmanager
def bounds(window: int, values: int) -> Iterator[None]:
    """As if the table were large: small windows, and few values that a term leads along."""
    with (
        mock.patch.object(pages, "WINDOW", window),
        mock.patch.object(conditions, "VALUES_LIMIT", values),
        mock.patch.object(tasks, "MATCHING_NAMES_LIMIT", values),
    ):
        yield


def read(said: list[Said]) -> filters.Filter:
    return filters.parse(" ".join(one.text for one in said), now=NOW)


def expected(said: list[Said], by: str) -> list[int]:
    """What plain Python finds, in an order."""
    rows = [one for one in TaskRecord.objects.all() if filter_model.is_found(said, one)]
    if by.endswith("sent_at"):
        rows = [one for one in rows if one.sent_at]
        rows.sort(key=lambda one: (one.sent_at, one.pk))
    else:
        rows.sort(key=lambda one: one.pk)
    return [one.pk for one in (reversed(rows) if by.startswith("-") else rows)]


def every_page(asked: filters.Filter, order: str, limit: int) -> Iterator[Page[TaskRecord]]:
    """All pages, from the first to the last."""
    place = TOP
    for _ in range(500):
        page = asked.page(TaskRecord.objects.all(), place, limit, order=order)
        assert len(page.rows) <= limit
        yield page
        if page.following is None:
            return
        place = Cursor(before=page.following)
    raise AssertionError("the pages do not end")


def backwards(asked: filters.Filter, order: str, limit: int, last: Page[TaskRecord]) -> list[int]:
    """All rows before the last page, read from it to the first."""
    rows: list[int] = []
    page = last
    for _ in range(500):
        if page.preceding is None:
            return rows
        place = Cursor(after=page.preceding)
        page = asked.page(TaskRecord.objects.all(), place, limit, order=order)
        rows = [one.pk for one in page.rows] + rows
    raise AssertionError("the pages do not end")


@settings(max_examples=100)
@given(
    said=SAID,
    order=ORDERS,
    limit=st.integers(1, 20),
    window=st.sampled_from((2, 17, 60, 5000)),
    values=st.sampled_from((1, 3, 50)),
)
def test_they_have_what_plain_python_finds(
    said: list[Said], order: str, limit: int, window: int, values: int
) -> None:
    asked = read(said)
    assert filters.parse(str(asked), now=NOW) == asked
    wanted = expected(said, asked.order(order))
    everything = asked.matches(TaskRecord.objects.all())
    assert {one.pk for one in everything} == set(expected(said, "id"))
    with bounds(window, values):
        found = list(every_page(asked, order, limit))
        assert [one.pk for page in found for one in page.rows] == wanted
        last = [one.pk for one in found[-1].rows]
        assert backwards(asked, order, limit, found[-1]) + last == wanted
    assert found[0].preceding is None
    for page in found:
        assert (page.looked_through is None) or (page.looked_through <= max(window, 60))
        assert len(page.rows) == limit or page.following is None or page.looked_through


@settings(max_examples=40)
@given(
    said=SAID,
    order=ORDERS,
    limit=st.integers(1, 9),
    window=st.sampled_from((2, 17, 5000)),
    seed=st.integers(0, 10**6),
)
def test_what_comes_or_goes_between_two_pages_moves_nothing_else(
    said: list[Said], order: str, limit: int, window: int, seed: int
) -> None:
    dice = random.Random(seed)
    asked = read(said)
    with transaction.atomic(), bounds(window, 50):
        before = expected(said, asked.order(order))
        found: list[int] = []
        for page in every_page(asked, order, limit):
            found += [one.pk for one in page.rows]
            _change(dice, found)
        gone = set(before) - set(TaskRecord.objects.values_list("pk", flat=True))
        transaction.set_rollback(True)
    assert len(found) == len(set(found))
    seen = [pk for pk in found if pk in set(before)]
    assert seen == [pk for pk in before if pk not in gone or pk in set(found)]


def _change(dice: random.Random, found: list[int]) -> None:
    """Some tasks come, of any time; one that was not listed yet goes."""
    rows = TaskRecord.objects.count()
    if rows < 200:
        TaskRecord.objects.bulk_create(
            _anew(dice, number) for number in range(rows, rows + dice.randrange(3))
        )
    left = TaskRecord.objects.exclude(pk__in=found).order_by("pk")
    if dice.random() < 0.3 and (count := left.count()):
        left[dice.randrange(count)].delete()


def _anew(dice: random.Random, number: int) -> TaskRecord:
    copy: Any = TaskRecord.objects.order_by("pk")[dice.randrange(70)]
    copy.pk, copy.task_id = None, f"new-{number}-{dice.random()}"
    return copy


@pytest.mark.parametrize("text", ["runtime:>=0", "name:shop.* runtime:>=0", "-state:SUCCESS shop"])
@pytest.mark.parametrize("order", filters.ORDERINGS)
@pytest.mark.parametrize("comes", [True, False])
def test_what_comes_or_goes_while_a_page_is_read_hides_nothing(
    text: str, order: str, comes: bool
) -> None:
    if connection.vendor == "sqlite" and not comes:
        pytest.skip("on one connection, a statement that is still read sees the rows go")
    asked = filters.parse(text)
    dice = random.Random(5)
    busy = False

    def between(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """After each statement that reads tasks, but for those of its own."""
        nonlocal busy
        found = execute(sql, params, many, context)
        if not busy and "z4j_django_taskrecord" in sql and "RECURSIVE" not in sql:
            busy = True
            if not comes:
                gone = TaskRecord.objects.order_by("pk")[dice.randrange(20) :][:3]
                TaskRecord.objects.filter(pk__in=[one.pk for one in gone]).delete()
            elif TaskRecord.objects.count() < 300:
                TaskRecord.objects.bulk_create(_anew(dice, number) for number in range(9))
            busy = False
        return found

    with transaction.atomic(), bounds(17, 50):
        everything = asked.matches(TaskRecord.objects.all())
        if order.endswith("sent_at"):
            everything = everything.exclude(sent_at=None)
        before = set(everything.values_list("pk", flat=True))
        found: list[int] = []
        with connection.execute_wrapper(between):
            for page in every_page(asked, order, 4):
                found += [one.pk for one in page.rows]
        left = before & set(TaskRecord.objects.values_list("pk", flat=True))
        transaction.set_rollback(True)
    assert len(found) == len(set(found))
    assert left <= set(found)


@pytest.mark.parametrize("order", ["", "-sent_at"])
def test_a_page_that_its_window_ended_says_so(order: str) -> None:
    with bounds(17, 50):
        page = filters.parse("retries:>9").page(TaskRecord.objects.all(), TOP, 5, order=order)
    assert (page.rows, page.looked_through) == ([], 17)
    assert page.following is not None


def test_a_page_that_is_full_or_the_last_does_not() -> None:
    with bounds(5000, 50):
        page = filters.parse("runtime:>0").page(TaskRecord.objects.all(), TOP, 5)
        assert (len(page.rows), page.looked_through) == (5, None)
        page = filters.parse("retries:>9").page(TaskRecord.objects.all(), TOP, 5)
        assert (page.rows, page.following, page.looked_through) == ([], None, None)


def test_what_the_queryset_leaves_out_stays_out() -> None:
    queryset = TaskRecord.objects.filter(project="other").only("task_id")
    wanted = set(queryset.filter(state="FAILURE").values_list("pk", flat=True))
    found: list[int] = []
    place = TOP
    with bounds(7, 50):
        while True:
            page = filters.parse("state:FAILURE").page(queryset, place, 3)
            found += [one.pk for one in page.rows]
            assert all(one.get_deferred_fields() for one in page.rows)
            if page.following is None:
                break
            place = Cursor(before=page.following)
    assert set(found) == wanted
    assert len(found) == len(wanted)
