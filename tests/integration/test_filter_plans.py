"""How each database goes along a filter's index, and how little it looks at, in a large table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import plans, work
from tests.integration import test_plans
from tests.integration.test_plans import NOW, ROWS, UNIQUE, key
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import index_ranges, pages, tasks
from z4j_django.queries.cursors import Cursor, Key, Order
from z4j_django.queries.filter import index_choice
from z4j_django.queries.pages import Page
from z4j_django.values import digest, error_id

TABLE = TaskRecord._meta.db_table
#: Rows that a page looks through here.
WINDOW = 250
#: MySQL sees as it plans that there is no such row.
EMPTY = "Impossible WHERE"
#: Finds nothing, and has no index; nor have the columns beside it that might tempt a planner.
NOTHING = 'runtime:>9h -queue:"" -name:other.* kwargs.user_id:42 project:default'
TRACES = [f"{number:032x}" for number in range(1, ROWS // 50 + 1)]
#: By what they lead: the filter, and the index in the order of the ids.
LEADS = {
    "nothing": ("", {"primary"}),
    "id": (f"id:{key(7)},{key(8)}", UNIQUE),
    "group": (f"group:{key(-100)}", {"z4j_task_group"}),
    "root": (f"root:{key(100)}", {"z4j_task_root", *UNIQUE}),
    "parent": (f"parent:{key(4)}", {"z4j_task_parent"}),
    "retry_of": (f"retry_of:{key(97)}", {"z4j_task_retry"}),
    "schedule": ("schedule:nightly", {"z4j_task_schedule"}),
    "trace": (f"trace:{TRACES[2]}", {"z4j_task_trace"}),
    "an unfinished state": ("state:PENDING", {"z4j_task_state"}),
    "a state": ("state:FAILURE", {"z4j_task_state"}),
    "all states but one": ("-state:SUCCESS", {"z4j_task_state"}),
    "an error": ("error:ValueError", {"z4j_task_state"}),
    "an error by its id": (f"error:{error_id(digest('1'))}", {"z4j_task_error"}),
    "a name": ("name:shop.task_3", {"z4j_task_name"}),
    "a beginning of names": ("name:shop.task_7*", {"z4j_task_name"}),
    "too many names": ("name:shop.*", {"primary"}),
    "a worker": ("worker:w3@host", {"z4j_task_worker"}),
    "a worker that is gone": ("worker:retired@host", {"z4j_task_worker"}),
    "workers": ("worker:w29*", {"z4j_task_worker"}),
    "a queue": ("queue:queue_3", {"z4j_task_queue"}),
    "a beginning of ids": (key(7)[:8], UNIQUE),
    "a word": ("task_29", {"z4j_task_name", *UNIQUE}),
    "successes": ("state:SUCCESS", {"primary"}),
    "what is left out": ("-name:celery.*", {"primary"}),
}
SENT = {
    "all": "",
    "until a moment": "sent:>3h",
    "from a moment on": "sent:<3h",
    "a day": "sent:2026-03-04",
    "an hour": "sent:2h..3h",
    "two days": "sent:2026-03-03,2026-03-04",
}


def record(number: int) -> TaskRecord:
    row = test_plans.record(number)
    row.schedule = "nightly" if number % 100 == 0 else ""
    row.trace_id = TRACES[number // 50] if number % 50 < 3 else ""
    row.root_id = key(number - number % 4)
    row.retry_of = key(number - 3) if number % 50 == 0 else ""
    row.exception_type = "builtins.ValueError" if number % 50 == 0 else ""
    row.state = "PENDING" if number % 400 == 1 else row.state
    row.error = digest(str(number // 50 % 10)) if number % 50 == 0 else None
    row.kwargs = {"user_id": number % 100}
    return row


@pytest.fixture(scope="module")
def _tables(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Committed, for MySQL's ANALYZE ends a transaction; cleared at the end."""
    with django_db_blocker.unblock():
        TaskRecord.objects.bulk_create(map(record, range(ROWS)), batch_size=1000)
        words = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
        with connection.cursor() as cursor:
            cursor.execute(f"{words} {TABLE}")
        yield
        test_plans.flush(TaskRecord)


@pytest.fixture(autouse=True)
def _in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of so few rows PostgreSQL as soon takes a bitmap and sorts it; of millions it does not."""
    monkeypatch.setattr(pages, "WINDOW", WINDOW)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_bitmapscan = off")


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_tables")]


def filter_of(text: str) -> filters.Filter:
    return filters.parse(text, now=NOW + timedelta(seconds=ROWS))


def middle(by_sent: bool) -> Key:
    row = TaskRecord.objects.order_by("id")[ROWS // 2]
    return Key(row.pk, row.sent_at if by_sent else None)


def walked(text: str, by_sent: bool, *, deep: bool, up: bool) -> Iterator[tuple[str, plans.Plan]]:
    """The plans of what reads along the ways of a filter, the window's end included."""
    everything = TaskRecord.objects.all()
    lead = index_choice.choose(filter_of(text).terms, everything, "sent_at" if by_sent else "id")
    order = Order("sent_at" if by_sent else "id", down=not up)
    begin = middle(by_sent) if deep else None
    with CaptureQueriesContext(connection) as captured:
        narrowed = everything.filter(pk__gte=0)
        pages.read(narrowed, Cursor(before=begin), 50, lead.ranges, order)
    assert "OFFSET" in captured[0]["sql"] or "COUNT(" in captured[0]["sql"]
    yield "the window's end", plans.explain(connection, captured[0]["sql"])
    for way in lead.ranges:
        rows = index_ranges.rows(everything, way, order, begin)
        share = WINDOW // len(lead.ranges)
        statement = index_ranges.compiled(rows.values("id", "queue", "runtime")[:share])
        if statement is not None:
            yield "the walk", plans.explain(connection, *statement)


@pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
@pytest.mark.parametrize("deep", [False, True], ids=["first", "deep"])
class TestPlans:
    """No table is read whole, and nothing is sorted that a person did not make small."""

    @pytest.mark.parametrize("lead", LEADS)
    def test_each_term_leads_along_its_index(self, lead: str, deep: bool, up: bool) -> None:
        text, indexes = LEADS[lead]
        for part, plan in walked(text, False, deep=deep, up=up):
            assert plan.indexes & indexes or EMPTY in plan.text, (part, plan.text)
            if part == "the walk":
                assert not plan.scans, plan.text
                few = lead in ("id", "group", "a beginning of ids")
                assert not plan.sorts or few or (plan.indexes & UNIQUE), plan.text

    @pytest.mark.parametrize("sent", SENT)
    def test_the_sending_leads_along_its_own(self, sent: str, deep: bool, up: bool) -> None:
        for part, plan in walked(SENT[sent], True, deep=deep, up=up):
            assert plan.indexes == {"z4j_task_sent"} or EMPTY in plan.text, (part, plan.text)
            assert not plan.scans, plan.text
            assert not plan.sorts, plan.text


@pytest.mark.parametrize("lead", {**LEADS, **SENT})
@pytest.mark.parametrize("order", filters.ORDERINGS)
def test_no_page_looks_at_more_than_a_few_windows(lead: str, order: str) -> None:
    text = SENT[lead] if lead in SENT else LEADS[lead][0]
    asked = filter_of(f"{text} {NOTHING}".strip())
    key_in_the_middle = middle(order.endswith("sent_at"))
    queryset = tasks.summaries(TaskRecord.objects.all())
    for place in (
        Cursor(),
        Cursor(before=key_in_the_middle),
        Cursor(after=key_in_the_middle),
    ):
        found: list[Page[TaskRecord]] = []
        seen = work.rows_read(
            TABLE,
            lambda: found.append(asked.page(queryset, place, 50, order=order)),  # noqa: B023 - called at once
        )
        assert found[0].rows == []
        assert seen < 10 * WINDOW, (place, seen)


def test_the_failures_of_a_name_are_met_at_once_where_there_is_an_index_of_them() -> None:
    if connection.vendor == "mysql":
        pytest.skip("it can't leave rows out of an index")
    for deep in (False, True):
        for _, plan in walked("state:FAILURE name:shop.task_50*", False, deep=deep, up=False):
            assert "z4j_task_failed" in plan.indexes, plan.text
            assert not plan.indexes & {"z4j_task_name", "z4j_task_state"}, plan.text


@pytest.mark.parametrize("lead", ["nothing", "a state", "a worker", "a queue"])
def test_leaving_out_our_own_tasks_takes_no_other_way_and_no_window(lead: str) -> None:
    text, indexes = LEADS[lead]
    with CaptureQueriesContext(connection) as captured:
        filter_of(text).page(TaskRecord.objects.all(), Cursor(), 50)
    page = captured[-1]["sql"]
    assert "z4j_django." in page
    plan = plans.explain(connection, page)
    assert plan.indexes & indexes, plan.text
    assert not plan.scans, plan.text
    assert not plan.sorts, plan.text
