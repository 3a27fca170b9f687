"""Task types that fail more often than they usually do, in shops small and large."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.counted import counted
from tests.integration.finding import NOW, ago, evidence, find
from z4j_django.conditions.failing import least

pytestmark = pytest.mark.django_db


def usually(failed: int, succeeded: int, **of: Any) -> None:
    """So much on each of the last seven days, at this hour."""
    for days in range(1, 8):
        counted(ago(days=days), failed=failed, succeeded=succeeded, **of)


def test_far_more_failures_than_usual_are_told_with_both_shares() -> None:
    usually(1, 199)
    counted(ago(minutes=3), failed=12, succeeded=28)
    assert evidence("failing") == {
        "shop.export": "12 of 40 runs of shop.export failed in the last 15m 00s (30.0%); at these "
        "hours of the last 7 days, 7 of 1,400 did (0.5%)."
    }
    [finding] = find("failing")
    assert finding.since == ago(minutes=3)
    assert finding.numbers == {
        "failed": 12,
        "runs": 40,
        "failed_before": 7,
        "runs_before": 1400,
    }


def test_what_always_fails_so_often_is_not_news() -> None:
    usually(60, 140)
    counted(ago(minutes=3), failed=14, succeeded=26)
    assert find("failing") == []


def test_few_failures_say_nothing() -> None:
    counted(ago(minutes=3), failed=4)
    assert find("failing") == []
    assert len(find("failing", failures=4)) == 1


def test_many_runs_show_a_small_share() -> None:
    usually(10, 99_990)
    counted(ago(minutes=3), failed=2_000, succeeded=98_000)
    assert len(find("failing")) == 1


def test_a_share_that_chance_may_bring_is_not_told() -> None:
    usually(2, 98)
    counted(ago(minutes=3), failed=5, succeeded=95)
    assert find("failing") == []


def test_of_a_task_that_runs_seldom_a_longer_time_is_now() -> None:
    usually(0, 10)
    counted(ago(hours=1), failed=3, succeeded=1)
    counted(ago(minutes=3), failed=3, succeeded=2)
    assert evidence("failing") == {
        "shop.export": "6 of 9 runs of shop.export failed in the last 2h 00m (66.7%); at these "
        "hours of the last 7 days, 0 of 70 did (0.0%)."
    }


def test_a_task_without_a_past_is_told_too() -> None:
    counted(ago(minutes=3), failed=10, succeeded=10)
    assert evidence("failing")["shop.export"].endswith("before that it hardly ran.")


def test_what_a_sample_left_out_has_not_failed() -> None:
    counted(ago(minutes=3), failed=5, sampled=5_000)
    assert find("failing") == []


def test_it_ends_once_nothing_fails_any_more() -> None:
    counted(ago(hours=4), failed=50)
    assert find("failing") == []


def test_where_nothing_fails_little_is_read(django_assert_num_queries: Any) -> None:
    counted(NOW, succeeded=10)
    with django_assert_num_queries(2):
        assert find("failing") == []


@pytest.mark.parametrize(
    ("failed", "count", "expected"),
    [(0, 0, 0.0), (0, 100, 0.0), (5, 5, 0.43), (5, 100, 0.017), (500, 1000, 0.459)],
)
def test_the_least_likely_share(failed: int, count: int, expected: float) -> None:
    assert least(failed, count) == pytest.approx(expected, abs=0.005)
