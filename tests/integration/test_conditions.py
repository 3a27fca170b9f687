"""What each condition finds, at its thresholds, on the database of the settings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration.pages import task
from z4j_django import states
from z4j_django.agent import events
from z4j_django.conditions import registry
from z4j_django.conditions.base import Finding
from z4j_django.conditions.scene import Scene
from z4j_django.models import JournalLoss, JournalRecord, QueueSample, WorkerRecord

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def find(key: str, **limits: Any) -> list[Finding]:
    thresholds = registry.thresholds({key: limits})[key]
    return list(registry.CONDITIONS[key].find(Scene("default", NOW), thresholds))


def told(key: str, **limits: Any) -> list[str]:
    return [one.evidence for one in find(key, **limits)]


def worker(hostname: str = "w@h", **fields: Any) -> None:
    given = {"online": True, "last_seen": ago(5), "started_at": ago(3600), "concurrency": 2}
    WorkerRecord.objects.create(hostname=hostname, **{**given, **fields})


def samples(queue: str, *depths: int | None, **fields: Any) -> None:
    """One a minute, the newest just now."""
    QueueSample.objects.bulk_create(
        QueueSample(queue=queue, at=ago(60 * age), depth=depth, **fields)
        for age, depth in enumerate(reversed(depths))
    )


def journal(host: str = "h", **fields: Any) -> None:
    given = {"directory": "/j", "seen_at": ago(5)}
    JournalRecord.objects.create(host=host, **{**given, **fields})


class TestNoWorkers:
    def test_none_was_ever_heard_of(self) -> None:
        WorkerRecord.objects.create(project="other", hostname="w", online=True, last_seen=NOW)
        assert told("no_workers") == ["No worker is online: none was ever heard of."]

    def test_the_last_one_is_named(self) -> None:
        worker("silent@h", last_seen=ago(200))
        worker("stopped@h", online=False, last_seen=ago(90), stopped_at=ago(90))
        [one] = find("no_workers")
        assert one.evidence == "No worker is online: the last, stopped@h, was heard of 1m 30s ago."
        assert one.since == ago(90)

    def test_a_deployment_takes_a_minute(self) -> None:
        worker(online=False, last_seen=ago(59), stopped_at=ago(59))
        assert told("no_workers") == []
        assert len(told("no_workers", after=30)) == 1

    def test_with_one_there_is_nothing_to_tell(self) -> None:
        worker("gone@h", last_seen=ago(9999))
        worker()
        assert told("no_workers") == []


class TestSilentWorkers:
    def test_one_is_silent_after_two_minutes_and_gone_after_ten(self) -> None:
        worker("a@h", last_seen=ago(119))
        worker("b@h", last_seen=ago(130))
        worker("c@h", last_seen=ago(600))
        worker("d@h", last_seen=ago(86_401))
        worker("e@h", last_seen=ago(130), online=False)
        assert told("worker_silent") == ["b@h says nothing: it was last heard of 2m 10s ago."]
        [gone] = find("worker_gone")
        assert (gone.subject, gone.since, gone.severity) == ("c@h", ago(600), None)
        assert gone.evidence == "c@h went without a goodbye: it was last heard of 10m 00s ago."

    def test_with_tasks_in_its_hands_it_is_critical(self) -> None:
        worker(last_seen=ago(700))
        task("a", worker="w@h", state=states.STARTED)
        task("b", worker="w@h", state=states.RECEIVED)
        [gone] = find("worker_gone")
        assert gone.severity == "critical"
        assert gone.evidence.endswith(" ago, and ran 1 task and had taken 1 more.")


class TestWorkerThatTakesNothing:
    @pytest.fixture(autouse=True)
    def _waiting(self) -> None:
        worker(queues=["mail"])
        samples("mail", 7, 9)

    def test_it_has_a_free_slot_and_messages_wait(self) -> None:
        task("a", worker="w@h", state=states.STARTED, received_at=ago(90))
        [one] = find("worker_not_consuming")
        assert one.evidence == (
            "w@h is online, has 1 of 2 slots free, and has taken nothing for 1m 30s, while "
            "messages wait: 9 in mail."
        )
        assert (one.subject, one.since) == ("w@h", ago(60))

    def test_one_that_took_something_within_a_minute_is_well(self) -> None:
        task("a", worker="w@h", state=states.SUCCESS, received_at=ago(50))
        assert told("worker_not_consuming") == []

    def test_one_whose_slots_are_full_can_take_nothing(self) -> None:
        for name in "ab":
            task(name, worker="w@h", state=states.STARTED, received_at=ago(900))
        assert told("worker_not_consuming") == []

    def test_one_that_has_just_come_up_has_its_time(self) -> None:
        WorkerRecord.objects.update(started_at=ago(30))
        assert told("worker_not_consuming") == []

    def test_nothing_has_to_wait_in_another_queue(self) -> None:
        WorkerRecord.objects.update(queues=["else"])
        assert told("worker_not_consuming") == []

    def test_messages_that_came_just_now_do_not_wait_yet(self) -> None:
        QueueSample.objects.all().delete()
        samples("mail", 0, 9)
        assert told("worker_not_consuming") == []


class TestQueueWithoutConsumer:
    @pytest.fixture(autouse=True)
    def _worker(self) -> None:
        worker(queues=["mail"])

    def test_messages_wait_and_nobody_takes_them(self) -> None:
        worker("old@h", queues=["reports"], online=False, last_seen=ago(300), stopped_at=ago(300))
        samples("reports", 3, oldest_at=ago(400))
        [one] = find("queue_without_consumer")
        assert one.evidence == (
            "Nobody takes tasks from the queue reports: 3 messages wait, the oldest for 6m 40s. "
            "The last worker that did was heard of 5m 00s ago."
        )
        assert (one.subject, one.since, one.numbers["depth"]) == ("reports", ago(300), 3)

    def test_the_records_may_tell_of_none_of_them(self) -> None:
        samples("reports", 3, 3)
        [one] = find("queue_without_consumer")
        assert one.since == ago(60)
        assert one.evidence.endswith(": 3 messages wait, the oldest for 1m 00s at least.")

    @pytest.mark.parametrize("depths", [(0,), (None,), (3, 0), (0, 3)])
    def test_a_queue_that_is_empty_or_unknown_or_only_just_filled_is_well(
        self, depths: tuple[int | None, ...]
    ) -> None:
        samples("reports", *depths)
        assert told("queue_without_consumer") == []

    def test_one_that_someone_consumes_is_well(self) -> None:
        samples("mail", 3, 3)
        samples("foreign", 3, 3, consumers=1)
        assert told("queue_without_consumer") == []

    def test_one_of_which_a_worker_took_something_is_well(self) -> None:
        """Where it was told to by `add_consumer`; what it said when it came up stays on record."""
        samples("reports", 3, 3)
        one = {"queue": "reports", "worker": "w@h", "state": states.STARTED}
        task("before", received_at=ago(600), **one)
        task("of one that is gone", received_at=ago(20), **{**one, "worker": "gone@h"})
        assert len(told("queue_without_consumer")) == 1
        task("now", received_at=ago(20), **one)
        assert told("queue_without_consumer") == []

    def test_without_any_worker_that_is_what_is_told(self) -> None:
        WorkerRecord.objects.all().delete()
        samples("reports", 3, 3)
        assert told("queue_without_consumer") == []
        samples("rabbit", 3, 3, consumers=0)
        assert len(told("queue_without_consumer")) == 1


class TestQueueBackingUp:
    def test_it_is_far_above_its_own_past(self) -> None:
        samples("mail", *[30] * 60, 150, 200, 300, 400, 500)
        [one] = find("queue_backing_up")
        assert one.evidence == "500 messages wait in the queue mail; usually 30 at most."
        assert (one.since, one.numbers) == (ago(240), {"depth": 500, "usual": 30})

    def test_one_that_is_always_deep_is_well(self) -> None:
        samples("bulk", *[5000] * 120)
        assert told("queue_backing_up") == []

    def test_one_that_uses_to_have_peaks_is_well(self) -> None:
        samples("mail", *([0] * 50 + [500] * 10) * 3, 0, 0, 500, 500, 500, 500, 500, 500)
        assert told("queue_backing_up") == []

    @pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
    def test_one_that_had_peaks_hours_ago_is_well_in_whichever_zone(self, zone: str) -> None:
        samples("mail", *[500] * 180, *[0] * 600, *[500] * 6)
        with timezone.override(zone):
            assert told("queue_backing_up") == []

    @pytest.mark.parametrize("newest", [(99,) * 6, (500,) * 4, (500, 500, 500, 500, 0, 500)])
    def test_a_small_a_short_or_a_broken_rise_is_none(self, newest: tuple[int, ...]) -> None:
        samples("mail", *[0] * 60, *newest)
        assert told("queue_backing_up") == []

    def test_in_a_small_shop_it_is_the_wait_that_tells(self) -> None:
        samples("mail", *[0] * 60)
        QueueSample.objects.filter(at__lte=ago(60)).update(oldest_at=None)
        for age in range(6):
            sample = {"queue": "mail", "at": ago(60 * age), "depth": 2}
            QueueSample.objects.filter(at=ago(60 * age)).delete()
            QueueSample.objects.create(**sample, oldest_at=ago(900))
        [one] = find("queue_backing_up")
        assert one.evidence == (
            "The oldest message in the queue mail has waited for 15m 00s; usually it is 0 ms at "
            "most."
        )

    def test_thresholds_say_how_much_is_too_much(self) -> None:
        samples("mail", *[30] * 60, *[80] * 5)
        assert told("queue_backing_up") == []
        assert len(told("queue_backing_up", depth=50, times=2)) == 1


class TestSlotsHeld:
    def running(self, *seconds: float, name: str = "stuck") -> None:
        for number, age in enumerate(seconds):
            task(
                f"{name} {number}",
                name=name,
                worker="w@h",
                state=states.STARTED,
                started_at=ago(age),
            )

    def test_all_are_held_by_tasks_that_run_long(self) -> None:
        worker(queues=["mail"])
        self.running(400, 900)
        [one] = find("slots_held")
        assert one.evidence == (
            "All 2 slots of w@h are held by tasks that run for longer than they use to, the "
            "longest for 15m 00s: 2 of stuck."
        )
        assert (one.since, one.severity) == (ago(400), None)

    def test_it_may_have_one_alone(self) -> None:
        worker(concurrency=1)
        self.running(400)
        assert told("slots_held")[0].startswith("The only slot of w@h is held by tasks that run ")

    def test_it_is_critical_where_messages_wait(self) -> None:
        worker(queues=["mail"])
        self.running(400, 900)
        samples("mail", 180)
        [one] = find("slots_held")
        assert one.severity == "critical"
        assert one.evidence.endswith(" 180 messages wait in its queues.")

    def test_tasks_that_use_to_run_for_long_are_no_trouble(self) -> None:
        worker()
        self.running(4000, 4000)
        task("before", name="stuck", state=states.SUCCESS, runtime=3000.0)
        assert told("slots_held") == []
        assert len(told("slots_held", times=1)) == 1

    @pytest.mark.parametrize("seconds", [(400,), (400, 299)])
    def test_a_free_slot_or_one_that_is_free_soon_is_enough(
        self, seconds: tuple[float, ...]
    ) -> None:
        worker()
        self.running(*seconds)
        assert told("slots_held") == []


class TestJournals:
    def test_one_is_behind(self) -> None:
        journal("a", pending=9, oldest=ago(95))
        journal("b", pending=9, oldest=ago(30))
        assert told("journal_behind") == [
            "The journal of a (/j) is behind: the oldest event has waited for 1m 30s."
        ]
        assert len(told("journal_behind", after=10)) == 2

    def test_nobody_ships(self) -> None:
        assert told("journal_stopped") == ["Nobody ships: no shipper has ever reported."]
        journal(seen_at=ago(120))
        assert told("journal_stopped") == ["Nobody ships: no shipper has reported for 2 minutes."]
        assert told("journal_stopped", after=130) == []
        journal("b")
        assert told("journal_stopped") == []

    def test_one_was_left_with_something_to_store(self) -> None:
        journal("a", seen_at=ago(120), pending=1234)
        journal("b")
        [one] = find("journal_stopped")
        assert one.subject == "a:/j"
        assert one.evidence == (
            "The journal of a (/j) is silent: no shipper has reported for 2 minutes, with 1,234 "
            "bytes to store."
        )

    def test_events_are_lost(self) -> None:
        for seconds, count, reason in (
            (90_000, 5, events.UNWRITTEN),
            (7200, 2, events.UNWRITTEN),
            (3600, 1, events.UNWRITTEN),
            (60, 1, events.OVER_CAP),
        ):
            JournalLoss.objects.create(host="h", reason=reason, count=count, at=ago(seconds))
        assert sorted(told("journal_losing")) == [
            f"1 event was lost ({events.OVER_CAP}), the last 1 minute ago.",
            f"3 events were lost ({events.UNWRITTEN}), the last 1 hour ago.",
        ]
        assert len(told("journal_losing", within=120)) == 1

    def test_it_fills_what_it_may_take_or_its_disk(self) -> None:
        mib = 1024**2
        journal("old")  # of a version that did not tell
        journal("well", size=100 * mib, limit=1024 * mib, free=9000 * mib)
        journal("half", size=600 * mib, limit=1024 * mib, free=9000 * mib)
        journal("full", size=1000 * mib, limit=1024 * mib, free=9000 * mib)
        journal("disk", size=mib, limit=1024 * mib, free=200 * mib)
        journal("away", size=1000 * mib, limit=1024 * mib, free=0, seen_at=ago(300))
        assert {one.evidence: one.severity for one in find("journal_disk")} == {
            "The journal of half (/j) takes 600.0 MB of the 1.0 GB that it may.": "warning",
            "The journal of full (/j) takes 1000.0 MB of the 1.0 GB that it may.": "critical",
            "The journal of disk (/j) takes 1.0 MB, and its disk has 200.0 MB left.": "warning",
        }


def test_a_round_asks_no_more_where_there_is_more_to_look_at() -> None:
    def asked(number: int) -> int:
        for one in range(number):
            worker(f"w{number}-{one}@h", queues=["mail"])
            samples(f"q{number}-{one}", 3, 3)
            journal(f"h{number}-{one}")
        scene = Scene("default", NOW)
        with CaptureQueriesContext(connection) as queries:
            for key, limits in registry.thresholds({}).items():
                list(registry.CONDITIONS[key].find(scene, limits))
        return len(queries)

    assert asked(1) == asked(5) <= 30
