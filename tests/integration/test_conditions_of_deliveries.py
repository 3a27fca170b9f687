"""Tasks that a worker left, and tasks that came to workers more than once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.finding import ago, evidence, find
from tests.integration.pages import task
from z4j_django import handover
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.models import TaskEvent, TaskRecord, WorkerRecord
from z4j_django.queries import filter as filters

pytestmark = pytest.mark.django_db


def worker(hostname: str, **fields: Any) -> WorkerRecord:
    given = {"online": True, "pid": 7, "started_at": ago(days=2), "last_seen": ago(seconds=5)}
    return WorkerRecord.objects.create(hostname=hostname, **{**given, **fields})


def taken(task_id: str, hostname: str, state: str = "STARTED", **fields: Any) -> TaskRecord:
    given = {"name": "shop.export", "pid": 70, "received_at": ago(hours=3), "deliveries": 1}
    if state == "STARTED":
        given["started_at"] = ago(hours=3)
    return task(task_id, state=state, worker=hostname, **{**given, **fields})


def listed(key: str) -> list[str]:
    """What the filter of a condition's only finding lists."""
    [finding] = find(key)
    condition = CONDITIONS[key]
    assert condition.filter is not None
    found = filters.parse(condition.filter(finding)).matches(TaskRecord.objects.all())
    return sorted(one.task_id for one in found)


class TestPossiblyLost:
    def test_a_worker_that_stopped_left_what_it_had(self) -> None:
        worker("gone@h", online=False, stopped_at=ago(hours=2))
        taken("a", "gone@h")
        taken("b", "gone@h", "RECEIVED")
        taken("since", "gone@h", "RECEIVED", received_at=ago(hours=1))
        assert evidence("possibly_lost") == {
            "gone@h": "gone@h stopped 2h 00m ago and left 2 tasks that it had taken: no end is on "
            "record, and no other worker has taken them since. The newest is shop.export b."
        }
        [finding] = find("possibly_lost")
        assert (finding.since, finding.numbers) == (ago(hours=2), {"tasks": 2, "seconds": 7200.0})
        assert listed("possibly_lost") == ["a", "b"]

    def test_a_worker_that_came_up_as_another_process_left_them_too(self) -> None:
        worker("again@h", pid=8, started_at=ago(minutes=5))
        taken("a", "again@h", pid=70)
        said = evidence("possibly_lost")["again@h"]
        assert said.startswith("again@h was started anew 5m 00s ago and left 1 task that")

    def test_the_broker_has_a_minute_to_deliver_them_again(self) -> None:
        worker("gone@h", online=False, stopped_at=ago(seconds=40))
        taken("a", "gone@h")
        assert find("possibly_lost") == []
        assert len(find("possibly_lost", after=30)) == 1

    def test_what_was_lost_long_ago_is_news_to_nobody(self) -> None:
        worker("gone@h", online=False, stopped_at=ago(hours=25))
        taken("a", "gone@h", started_at=ago(hours=26))
        assert find("possibly_lost") == []

    def test_a_task_that_an_operator_retried_is_seen_to(self) -> None:
        worker("gone@h", online=False, stopped_at=ago(hours=2))
        taken("a", "gone@h")
        task("b", retry_of="a")
        assert find("possibly_lost") == []

    def test_without_a_worker_that_left_nothing_is_asked(
        self, django_assert_num_queries: Any
    ) -> None:
        worker("there@h")
        taken("a", "there@h")
        with django_assert_num_queries(1):  # of the workers, which all conditions share
            assert find("possibly_lost") == []


def event(kind: str, minutes: float, hostname: str = "", **fields: Any) -> None:
    """Something that happened to the task so long ago."""
    at = ago(minutes=minutes)
    TaskEvent.objects.create(task_id="a", kind=kind, at=at, worker=hostname, pid=7, **fields)


class TestDeliveredNTimes:
    @pytest.fixture(autouse=True)
    def _delivered_twice(self) -> None:
        taken("a", "w2@h", deliveries=2, received_at=ago(minutes=1))
        event("task_sent", 62)
        event("task_received", 61, "w1@h")
        worker("w2@h")

    def _said(self) -> str:
        return evidence("delivered_n_times")["shop.export"]

    def test_a_first_worker_that_has_it_still_means_the_visibility_timeout(self) -> None:
        worker("w1@h")
        event("task_received", 1, "w2@h")
        assert self._said() == (
            "Workers have 1 task of shop.export once more: shop.export a was delivered 2 times. "
            "The broker gave it out again 1h 00m later, while w1@h still had it: its visibility "
            "timeout, or the time that it gives a consumer, ran out."
        )
        [finding] = find("delivered_n_times")
        assert finding.since == ago(minutes=1)
        assert finding.numbers["cause"] == "visibility timeout"
        assert finding.numbers["seconds_between"] == 3600.0
        assert listed("delivered_n_times") == ["a"]

    def test_a_timeout_that_is_known_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        worker("w1@h")
        event("task_received", 1, "w2@h")
        redis = {"transport": "kombu.transport.redis:Transport", "transport_options": {}}
        monkeypatch.setattr(handover, "_told", {"broker": {"connection": redis}})
        assert self._said().endswith("its visibility timeout of 1h 00m ran out.")
        redis["transport_options"] = {"visibility_timeout": 7200}
        assert "w1@h had it 1h 00m before, and may have lost its connection" in self._said()

    @pytest.mark.parametrize(
        "life",
        [
            {"online": False, "stopped_at": ago(minutes=30)},
            {"pid": 8, "started_at": ago(minutes=2)},
            {"last_seen": ago(minutes=40)},
        ],
        ids=["goodbye", "another process", "silent"],
    )
    def test_a_first_worker_that_is_gone_lost_it(self, life: dict[str, Any]) -> None:
        worker("w1@h", **life)
        event("task_received", 1, "w2@h")
        assert "w1@h, which had it 1h 00m before, is gone." in self._said()

    def test_one_that_came_again_at_once_lost_its_connection(self) -> None:
        worker("w1@h")
        event("task_received", 60.9, "w1@h")
        assert "w1@h had it 6.00 s before, and may have lost its connection" in self._said()

    def test_what_was_published_twice_says_so(self) -> None:
        event("task_sent", 2)
        event("task_received", 1, "w2@h")
        assert "It was sent 2 times under one id." in self._said()

    def test_what_its_task_rejected_says_so(self) -> None:
        event("task_rejected", 30, "w1@h", detail="rejected, back to the queue")
        event("task_received", 1, "w2@h")
        assert "w1@h rejected it, back to the queue." in self._said()

    def test_deliveries_of_an_earlier_attempt_are_no_cause(self) -> None:
        TaskRecord.objects.update(retries=1, deliveries=3)
        event("task_received", 3, "w2@h", retries=1)
        said = self._said()
        assert said.endswith("was delivered 3 times in its attempt 2.")

    def test_what_was_retried_was_not_delivered_too_often(self) -> None:
        TaskRecord.objects.update(retries=1)
        assert find("delivered_n_times") == []

    def test_no_text_makes_evidence_too_long(self) -> None:
        TaskRecord.objects.update(name="x" * 255, worker="y" * 255)
        TaskEvent.objects.update(worker="y" * 255)
        event("task_received", 1, "w2@h")
        [finding] = find("delivered_n_times")
        assert len(finding.evidence) <= 500
