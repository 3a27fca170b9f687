"""Rounds where clocks are wrong: those of the hosts that are told of, or that of who tells."""

from __future__ import annotations

import re
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.integration.pages import task
from tests.integration.test_conditions import NOW, ago, journal, samples, worker
from z4j_django import counters, states
from z4j_django.agent import events
from z4j_django.agent import journal as journals
from z4j_django.agent.batching import Slice
from z4j_django.agent.shipper import Shipper
from z4j_django.conditions import registry
from z4j_django.models import (
    ConditionRecord,
    ErrorGroup,
    JournalLoss,
    JournalRecord,
    Release,
    Statistic,
    WorkerRecord,
)
from z4j_django.store import statistics
from z4j_django.store.writer import DatabaseSink
from z4j_django.watch import lease, rounds, watching

pytestmark = pytest.mark.django_db

HOUR = 3600.0


def error(fingerprint: int, **fields: Any) -> None:
    given = {"name": "pay", "exception_type": "Timeout", "count": 3, "last_seen": ago(9)}
    ErrorGroup.objects.create(fingerprint=fingerprint, **{**given, **fields})


@pytest.fixture(autouse=True)
def _everything_goes_wrong() -> None:
    worker("silent@h", last_seen=ago(300))
    worker("gone@h", last_seen=ago(900), started_at=ago(9000))
    worker("full@h", concurrency=1, queues=["full"])
    worker("idle@h", queues=["idle"])
    worker("anew@h", pid=8, started_at=ago(90), queues=["anew"])
    worker("beat@h", pool=events.BEAT, online=False, last_seen=ago(500), stopped_at=ago(500))
    task("stuck", name="stuck", worker="full@h", state=states.STARTED, started_at=ago(900))
    taken = {"received_at": ago(401), "started_at": ago(400)}
    task("lost", worker="anew@h", pid=7, state=states.STARTED, **taken)
    for queue in ("idle", "nobody", "busy"):
        samples(queue, *[0] * 20, *[500] * 6, oldest_at=ago(400))
    journal("slow", pending=9, oldest=ago(95))
    journal("dead", pending=9, seen_at=ago(120))
    journal("full", size=900, limit=1000)
    JournalLoss.objects.create(host="h", reason=events.UNWRITTEN, count=2, at=ago(50))
    error(1, first_seen=ago(60))
    error(2, first_seen=ago(9000), regressed_at=ago(60))
    at = int(ago(120).timestamp()) // 60 * 60
    Statistic.objects.create(
        step=counters.MINUTE, scope=counters.NAMES, name="pay", at=at, failed=9
    )
    for number in range(6):
        task(f"late {number}", queue="late", state=states.PENDING, sent_at=ago(60), expires=ago(30))


def told() -> dict[tuple[str, str], tuple[Any, ...]]:
    """What one round tells, by the database's clock."""
    list(rounds.evaluate("default", NOW, registry.thresholds({}), set()))
    rows = ConditionRecord.objects.values_list("key", "subject", "since", "evidence", "severity")
    found = {(key, subject): rest for key, subject, *rest in rows}
    ConditionRecord.objects.all().delete()
    return found


@pytest.mark.parametrize("off", [-HOUR, HOUR])
def test_the_clock_of_whoever_makes_a_round_does_not_matter(
    off: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = told()
    assert {key for key, _ in right} >= {
        *("worker_silent", "worker_gone", "worker_not_consuming", "slots_held", "beat_stopped"),
        *("queue_without_consumer", "queue_backing_up", "possibly_lost", "expired_in_bulk"),
        *("journal_behind", "journal_stopped", "journal_disk", "journal_losing", "failing"),
        *("new_error", "regressed_error"),
    }
    real, moment = time.time, timezone.now
    monkeypatch.setattr(time, "time", lambda: real() + off)
    monkeypatch.setattr(timezone, "now", lambda: moment() + timedelta(seconds=off))
    assert told() == right


@pytest.mark.parametrize(("off", "way"), [(-HOUR, "behind"), (HOUR, "ahead of")])
def test_a_clock_that_is_not_the_databases_is_told(
    off: float, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + off)
    now = timezone.now
    monkeypatch.setattr(lease, "now", lambda: now())  # the database's, which is right
    watching.Watch("default").run_once(0.1)
    found = ConditionRecord.objects.get(key="clocks_apart")
    assert found.subject == socket.gethostname()
    assert found.evidence.startswith(f"The clock of {found.subject} is 1h 00m {way} that of the ")


def test_hosts_whose_reports_are_yet_to_come_are_ahead() -> None:
    journal("fast", seen_at=ago(-120))
    journal("faster", seen_at=ago(-20))
    assert [key for key in told() if key[0] == "clocks_apart"] == [("clocks_apart", "fast")]


def test_what_hosts_say_that_are_an_hour_ahead_is_told_in_no_negative_time() -> None:
    ahead = NOW + timedelta(hours=1)
    WorkerRecord.objects.filter(online=True).update(last_seen=ahead, started_at=ahead)
    WorkerRecord.objects.filter(online=False).update(last_seen=ahead, stopped_at=ahead)
    ErrorGroup.objects.filter(regressed_at=None).update(first_seen=ahead)
    ErrorGroup.objects.exclude(regressed_at=None).update(regressed_at=ahead)
    JournalLoss.objects.update(at=ahead)
    found = told()
    assert {"new_error", "regressed_error", "journal_losing"} <= {key for key, _ in found}
    assert not [text for _, text, _ in found.values() if re.search(r"-\d", text)]
    assert all(since <= NOW for since, *_ in found.values())


class TestHostThatIsDaysAhead:
    """Its shipper's clock is that of its workers: only the database knows better."""

    DAYS = 3 * 86_400.0

    @pytest.fixture(autouse=True)
    def _ahead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock, now = time.time, timezone.now
        monkeypatch.setattr(time, "time", lambda: clock() + self.DAYS)
        monkeypatch.setattr(lease, "now", lambda: now())  # the database's, which is right

    @pytest.fixture
    def shipper(self, tmp_path: Path) -> Shipper:
        directory = tmp_path / "journal"
        writer = journals.Journal(directory, "default", release="2.0")
        failure = events.Failure("Timeout", "no answer", "")
        for event in (
            events.WorkerEvent(kind=events.WORKER_ONLINE, at=time.time(), hostname="ahead@h"),
            events.TaskEvent(
                kind=events.TASK_FAILED,
                task_id="a",
                at=time.time(),
                name="pay",
                worker="ahead@h",
                failure=failure,
            ),
        ):
            writer.write(events.encode(event))
        writer.close()
        shipper = Shipper(directory, DatabaseSink())
        shipper.step()
        return shipper

    def test_its_failures_count_when_they_are_stored(self, shipper: Shipper) -> None:
        statistics.compact_all()
        days = Statistic.objects.filter(step=counters.DAY).values_list("at", "failed")
        assert list(days) == [(int(NOW.timestamp()) // 86_400 * 86_400, 1)] * 3
        hours = Statistic.objects.get(step=counters.HOUR, scope=counters.ERRORS)
        assert abs(hours.at - NOW.timestamp()) < 2 * HOUR

    def test_what_it_says_is_no_news_for_days(self, shipper: Shipper) -> None:
        soon = NOW + timedelta(hours=1)
        group = ErrorGroup.objects.get(exception_type="Timeout", name="pay", first_seen__gte=NOW)
        assert group.last_seen < soon
        assert Release.objects.get().last_seen < soon

    def test_its_worker_is_heard_of_anew_once_its_clock_is_right(self, shipper: Shipper) -> None:
        assert WorkerRecord.objects.get(hostname="ahead@h").last_seen < NOW + timedelta(hours=1)
        later = NOW.timestamp() + HOUR
        left = events.WorkerEvent(kind=events.WORKER_OFFLINE, at=later, hostname="ahead@h")
        header = events.Header(schema=1, project="default", host="h", pid=8)
        data = events.encode(left)
        DatabaseSink().apply([Slice("later", header, 0, len(data), data)])
        assert not WorkerRecord.objects.get(hostname="ahead@h").online

    def test_its_journal_is_told_to_be_ahead_for_a_day_and_no_longer(
        self, shipper: Shipper
    ) -> None:
        shipper.sink.report(shipper.status())
        found = JournalRecord.objects.get(directory=str(shipper.directory))
        assert timedelta(hours=23) < found.seen_at - NOW < timedelta(hours=25)
