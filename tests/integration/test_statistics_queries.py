"""What is read of the statistics: series, names, and how they compare."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import plans
from tests.integration.counted import counted
from z4j_django.counters import COUNTERS, DAY, EVER, HOUR, MINUTE, STEPS
from z4j_django.histograms import packed
from z4j_django.models import Statistic
from z4j_django.queries import ever, statistics, time_ranges
from z4j_django.queries.statistics import Counted
from z4j_django.queries.time_ranges import Range
from z4j_django.values import OTHER

pytestmark = pytest.mark.django_db

#: Of the day before yesterday, so that all is kept and whole.
NOON = (int(time.time()) // DAY - 1) * DAY + 12 * HOUR


def some(one: Counted) -> dict[str, int]:
    return {name: count for name, count in one.counters.items() if count}


def test_a_series_has_a_point_for_each_step() -> None:
    counted(NOON + 1, started=2)
    counted(NOON + 125, started=3)
    within = time_ranges.series_range(NOON, NOON + 180, "1m")
    found = statistics.series("default", within)
    assert [(point.at, some(point)) for point in found] == [
        (NOON, {"started": 2}),
        (NOON + 60, {}),
        (NOON + 120, {"started": 3}),
    ]
    assert found[0].rate == 2 / 60


def test_a_series_is_of_a_name_a_queue_both_or_all() -> None:
    counted(NOON, "shop.add", "mail", started=1)
    counted(NOON, "shop.add", "slow", started=2)
    counted(NOON, "shop.send", "mail", started=4)
    within = time_ranges.series_range(NOON, NOON + HOUR, "1h")

    def started(**which: str) -> int:
        [point] = statistics.series("default", within, **which)
        return point.counters["started"]

    assert started() == 7
    assert started(name="shop.add") == 3
    assert started(queue="mail") == 5
    assert started(name="shop.add", queue="mail") == 1
    assert started(name="unheard of") == started(queue="unheard of") == 0


def test_longer_steps_are_made_of_shorter_ones() -> None:
    for minute in range(30):
        counted(NOON + minute * 60, started=1, runs={1.0: 1})
    within = time_ranges.series_range(NOON, NOON + HOUR, "15m")
    found = statistics.series("default", within)
    assert [point.counters["started"] for point in found] == [15, 15, 0, 0]
    assert found[0].runtime["p50"] == pytest.approx(1.0, rel=0.42)
    assert found[2].runtime == {"p50": None, "p95": None, "p99": None}


@pytest.mark.parametrize(
    ("seconds", "valid"),
    [
        (60, ["1m"]),
        (HOUR, ["1m", "5m", "15m", "1h"]),
        (7 * HOUR, ["5m", "15m", "1h", "6h"]),
        (DAY, ["5m", "15m", "1h", "6h", "1d"]),
        (10 * DAY, ["1h", "6h", "1d"]),
        (89 * DAY, ["6h", "1d"]),
    ],
)
def test_a_range_has_steps_that_make_not_too_many_points(seconds: int, valid: list[str]) -> None:
    now = time.time()
    assert time_ranges.valid_steps(now - seconds, now) == valid


def test_steps_that_are_not_kept_so_long_are_not_valid() -> None:
    long_ago = time.time() - 20 * DAY
    assert time_ranges.valid_steps(long_ago, long_ago + HOUR) == ["1h"]
    with pytest.raises(ValueError, match=r"^Over this range a step has to be one of 1h\.$"):
        time_ranges.series_range(long_ago, long_ago + HOUR, "1m")


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        (NOON, NOON, "A range has to end after it begins."),
        (-5.0, NOON, "A range has to end after it begins."),
        (NOON - 401 * DAY, NOON, "A range has at most"),
    ],
)
def test_what_is_no_range_is_told(since: float, until: float, told: str) -> None:
    for make in (time_ranges.series_range, time_ranges.table_range):
        with pytest.raises(ValueError, match=told):
            make(since, until)


def test_a_series_may_be_as_long_as_it_has_points_and_a_table_three_months() -> None:
    counted(NOON - 399 * DAY, started=3)
    within = time_ranges.series_range(NOON - 400 * DAY, NOON)
    assert within.step == DAY
    found = statistics.series("default", within, "shop.export")
    assert sum(point.counters["started"] for point in found) == 3
    with pytest.raises(ValueError, match=r"^A range has at most 400 days\.$"):
        time_ranges.series_range(NOON - 401 * DAY, NOON)
    with pytest.raises(ValueError, match=r"^A range has at most 90 days\.$"):
        time_ranges.table_range(NOON - 91 * DAY, NOON)


def test_a_range_is_widened_to_whole_steps() -> None:
    assert time_ranges.table_range(NOON + 30, NOON + 90) == Range(NOON, NOON + 120, MINUTE)
    assert time_ranges.table_range(NOON, NOON + 3 * HOUR + 1) == Range(NOON, NOON + 4 * HOUR, HOUR)
    days = time_ranges.table_range(NOON - 80 * DAY, NOON)
    assert (days.step, days.since % DAY, days.until % DAY) == (DAY, 0, 0)
    assert time_ranges.series_range(NOON + 1, NOON + HOUR).step == MINUTE


def test_each_name_has_what_happened_to_it() -> None:
    counted(NOON, "a", started=4, succeeded=3, failed=1, runs={0.1: 3, 9.0: 1}, waits={2.0: 4})
    counted(NOON + 60, "a", "slow", started=1, retried=1)
    counted(NOON, "b", started=1)
    counted(NOON - HOUR, "before", started=1)
    counted(NOON, "elsewhere", project="bank", started=1)
    counted(NOON, "z4j_django.bulk", started=9)
    counted(NOON, "", started=9)
    counted(NOON, OTHER, started=7)
    within = Range(NOON, NOON + HOUR, MINUTE)
    found = statistics.task_types("default", within)
    assert [one.name for one in found] == [OTHER, "a", "b"]
    one = found[1]
    assert some(one) == {"started": 5, "succeeded": 3, "failed": 1, "retried": 1}
    assert (one.rate, one.failure_share) == (5 / HOUR, 0.25)
    assert found[2].failure_share is None
    statistics.fill("default", within, found)
    assert one.runtime["p50"] == pytest.approx(0.1, rel=0.42)
    assert one.runtime["p99"] == pytest.approx(9.0, rel=0.42)
    assert one.wait["p95"] == pytest.approx(2.0, rel=0.42)
    assert [(each.queue, each.counters["started"]) for each in of_queues(within)] == [
        ("work", 4),
        ("slow", 1),
    ]


def of_queues(within: Range) -> list[statistics.OfQueue]:
    return statistics.of_queues("default", within, "a")


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("name", ["a", "b", "c"]),
        ("started", ["c", "a", "b"]),
        ("failed", ["b", "c", "a"]),
        ("failure_share", ["b", "c", "a"]),
        ("retried", ["a", "b", "c"]),
    ],
)
def test_names_come_in_an_order(order: Any, names: list[str]) -> None:
    counted(NOON, "a", started=2, succeeded=2, retried=1)
    counted(NOON, "b", started=2, failed=2)
    counted(NOON, "c", started=9, succeeded=8, failed=1)
    found = statistics.task_types("default", Range(NOON, NOON + HOUR, HOUR), order)
    assert [one.name for one in found] == names


@pytest.mark.parametrize(("before", "seconds"), [("hour", HOUR), ("day", DAY), ("week", 7 * DAY)])
def test_a_name_is_compared_with_itself(before: str, seconds: int) -> None:
    counted(NOON, "a", started=6)
    counted(NOON - seconds, "a", started=2, failed=1)
    found = statistics.task_type("default", Range(NOON, NOON + HOUR, HOUR), "a", before)
    assert found.earlier is not None
    assert some(found.earlier) == {"started": 2, "failed": 1}
    assert found.earlier.rate == 2 / HOUR


def test_spaces_at_the_end_of_a_name_make_no_other() -> None:
    counted(NOON, "a", started=6)
    found = statistics.task_type("default", Range(NOON, NOON + HOUR, HOUR), "a ")
    assert (found.name, found.counters["started"]) == ("a", 6)


class TestPlans:
    """On a table of many names and times, as after weeks."""

    NAMES = 100

    @pytest.fixture(autouse=True)
    def large(self, transactional_db: None) -> None:
        Statistic.objects.bulk_create(
            (
                Statistic(
                    step=step,
                    scope="names",
                    name=f"shop.{number}",
                    queue="mail",
                    at=NOON + turn * step if step else 0,
                    started=1,
                    runs=packed({3: 1}),
                )
                for step in (*STEPS, EVER)
                for turn in range(-60 if step else 0, 1)
                for number in range(self.NAMES)
            ),
            batch_size=1_000,
        )
        with connection.cursor() as cursor:
            table = Statistic._meta.db_table
            analyze = {"mysql": f"ANALYZE TABLE {table}"}.get(connection.vendor, "ANALYZE")
            cursor.execute(analyze)

    def plans_of(self, ask: Any) -> list[plans.Plan]:
        with CaptureQueriesContext(connection) as queries:
            ask()
        assert queries.captured_queries
        return [plans.explain(connection, one["sql"]) for one in queries.captured_queries]

    def test_no_query_reads_what_it_is_not_about(self) -> None:
        hour = Range(NOON - HOUR, NOON, MINUTE)
        page = statistics.task_types("default", Range(NOON, NOON + MINUTE, MINUTE))[:25]
        for ask in (
            lambda: statistics.series("default", hour, "shop.7"),
            lambda: statistics.series("default", hour, "shop.7", "mail"),
            lambda: statistics.task_types("default", Range(NOON - 300, NOON, MINUTE)),
            lambda: statistics.fill("default", Range(NOON - 300, NOON, MINUTE), page, "hour"),
            lambda: statistics.of_queues("default", hour, "shop.7"),
            lambda: statistics.is_known("default", "shop.7"),
            lambda: ever.totals("default", self.NAMES // 2),
        ):
            for plan in self.plans_of(ask):
                assert not plan.scans, plan.text
                assert plan.indexes <= {
                    "z4j_statistic_at",
                    "z4j_statistic_place",
                    "sqlite_autoindex_z4j_django_statistic_1",
                }, plan.text

    def test_a_page_takes_a_fixed_number_of_queries(self) -> None:
        within = Range(NOON - 300, NOON, MINUTE)
        found = statistics.task_types("default", within)
        assert len(found) == self.NAMES
        for size in (1, 50):
            with CaptureQueriesContext(connection) as queries:
                statistics.fill("default", within, found[:size], "day")
            assert len(queries) == 2


def test_every_counter_is_a_column() -> None:
    assert set(COUNTERS) < {column.name for column in Statistic._meta.get_fields()}
