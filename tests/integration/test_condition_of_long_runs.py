"""Tasks that run much longer than others of their name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.integration.counted import counted
from tests.integration.finding import NOW, ago, evidence, find
from tests.integration.pages import task
from z4j_django.models import ConditionRecord, TaskRecord, WorkerRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import status

pytestmark = pytest.mark.django_db

KEY = "task_running_long"


@pytest.fixture(autouse=True)
def _usually() -> None:
    """Exports take ten seconds, of which there were many, and mails little."""
    counted(ago(days=1), runs={10.0: 95, 20.0: 1})
    counted(ago(days=3), queue="other", runs={10.0: 100})
    counted(ago(days=1), "shop.mail", runs={0.02: 1000})
    counted(ago(days=1), "shop.rare", runs={0.02: 19})
    WorkerRecord.objects.create(
        hostname="w@h", online=True, pid=7, started_at=ago(days=1), last_seen=NOW
    )


def started(task_id: str, name: str = "shop.export", **span: float) -> TaskRecord:
    return task(task_id, name=name, state="STARTED", worker="w@h", pid=70, started_at=ago(**span))


def test_ten_times_what_is_usual_is_long() -> None:
    started("a", minutes=5)
    started("b", minutes=2)
    started("c", minutes=1, seconds=30)
    assert evidence(KEY) == {
        "shop.export": "2 tasks of shop.export run for more than 1m 54s, the longest for 5m 00s; "
        "95 % of them end within 11.41 s, about."
    }
    [finding] = find(KEY)
    assert finding.numbers["tasks"] == 2
    assert ago(minutes=5) < finding.since < ago(minutes=3)


def test_a_minute_is_never_long() -> None:
    started("a", "shop.mail", seconds=59)
    assert find(KEY) == []
    started("b", "shop.mail", seconds=70)
    assert evidence(KEY)["shop.mail"].startswith("1 task of shop.mail runs for more than 1m 00s")


def test_without_a_past_nothing_is_long() -> None:
    started("a", "shop.rare", hours=5)
    started("b", "shop.unheard", hours=5)
    assert find(KEY) == []
    assert len(find(KEY, runs=19)) == 1


def test_what_lies_a_week_back_is_not_usual_any_more() -> None:
    counted(ago(days=9), "shop.old", runs={1.0: 100})
    started("a", "shop.old", hours=5)
    assert find(KEY) == []


@pytest.mark.parametrize(
    "life",
    [
        {"online": False, "stopped_at": ago(minutes=1)},
        {"last_seen": ago(minutes=3)},
        {"pid": 8, "started_at": ago(minutes=1)},
    ],
    ids=["stopped", "silent", "anew"],
)
def test_what_its_worker_left_does_not_run(life: dict[str, Any]) -> None:
    started("a", minutes=5)
    WorkerRecord.objects.update(**life)
    assert find(KEY) == []


def test_the_filter_finds_what_was_told() -> None:
    started("a", minutes=5)
    started("b", seconds=30)
    [finding] = find(KEY)
    ConditionRecord.objects.create(
        key=KEY, subject=finding.subject, numbers=finding.numbers, since=NOW, last_seen=NOW
    )
    now = timezone.now()
    WorkerRecord.objects.update(last_seen=now)
    TaskRecord.objects.filter(task_id="b").update(started_at=now)
    found = filters.parse('is:long name:"shop.export"').matches(TaskRecord.objects.all())
    assert [one.task_id for one in found] == ["a"]


def test_where_nothing_runs_for_long_no_statistics_are_read(
    django_assert_num_queries: Any,
) -> None:
    started("a", seconds=10)
    with django_assert_num_queries(3):
        assert find(KEY) == []


class TestTimeLimits:
    def test_what_its_worker_should_have_ended_runs_too_long(self) -> None:
        started("a", "shop.rare", minutes=5)
        started("b", "shop.rare", minutes=2)
        started("c", "shop.rare", minutes=9)
        TaskRecord.objects.filter(task_id__in="ab").update(time_limit=60)
        TaskRecord.objects.filter(task_id="c").update(time_limit=3600)
        assert evidence(KEY) == {
            "shop.rare": "2 tasks of shop.rare run past their time limit of 1m 00s, the longest "
            "for 5m 00s: the worker did not end them."
        }
        [finding] = find(KEY)
        assert finding.since == ago(minutes=4)
        assert finding.numbers == {"tasks": 2, "seconds": 300, "past_limit": 2, "time_limit": 60}

    def test_a_worker_has_some_seconds_for_it(self) -> None:
        started("a", "shop.rare", seconds=69)
        TaskRecord.objects.update(time_limit=60)
        assert find(KEY) == []
        started("b", "shop.rare", seconds=71)
        TaskRecord.objects.update(time_limit=60)
        assert [one.numbers["past_limit"] for one in find(KEY)] == [1]

    def test_both_are_told_of_one_name(self) -> None:
        started("a", minutes=5)
        TaskRecord.objects.update(time_limit=60)
        assert evidence(KEY) == {
            "shop.export": "1 task of shop.export runs past its time limit of 1m 00s, the longest "
            "for 5m 00s: the worker did not end it. 1 task of shop.export runs for more than 1m "
            "54s, the longest for 5m 00s; 95 % of them end within 11.41 s, about."
        }

    def test_what_its_worker_left_does_not_run(self) -> None:
        started("a", minutes=5)
        TaskRecord.objects.update(time_limit=60)
        WorkerRecord.objects.update(online=False, stopped_at=ago(minutes=1))
        assert find(KEY) == []

    def test_the_filter_finds_it_and_every_surface_says_so(self) -> None:
        now = timezone.now()
        WorkerRecord.objects.update(last_seen=now, started_at=now - timedelta(days=1))
        for name, seconds in (("a", 80), ("b", 60)):
            began = now - timedelta(seconds=seconds)
            task(name, state="STARTED", worker="w@h", pid=70, started_at=began, time_limit=60)
        found = list(filters.parse("is:long").matches(TaskRecord.objects.all()))
        assert [one.task_id for one in found] == ["a"]
        status.tell(found)
        assert [one.status for one in found] == ["running long, past its time limit of 1m 00s"]
