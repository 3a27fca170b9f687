"""Schedules that beat does not keep to, and a beat that is there no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import celery
import pytest
from celery.schedules import crontab, solar
from celery.schedules import schedule as every

from tests.integration import beat
from tests.integration.beat import schedule
from tests.integration.finding import NOW, ago, evidence, find
from tests.integration.pages import task
from z4j_django import wiring
from z4j_django.agent.discovery import Found
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conditions.scene import Scene
from z4j_django.models import JournalRecord, WorkerRecord

pytestmark = pytest.mark.django_db

KEY = "schedule_overdue"


class Own(every):
    """A project's own kind, of which no one knows what it says."""


def at_sunset() -> solar:
    """As it is where PyEphem is installed, which it asks for."""
    made: solar = object.__new__(solar)
    made.event, made.lat, made.lon = "sunset", 52, 13
    return made


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> celery.Celery:
    """A project's app, with a schedule in its settings."""
    made = celery.Celery("shop", set_as_current=False)
    made.conf.beat_schedule = {
        "tick": {"task": "shop.tick", "schedule": 30.0},
        "report": {"task": "shop.report", "schedule": crontab(minute=0, hour=3)},
        "own": {"task": "shop.light", "schedule": Own(30.0)},
    }
    monkeypatch.setattr(wiring, "find_celery_app", lambda: Found(made, "tests:app"))
    return made


def heard(**fields: Any) -> WorkerRecord:
    given = {"started_at": ago(days=3), "last_seen": ago(seconds=5), **fields}
    return WorkerRecord.objects.create(hostname="beat@h", pool="beat", online=True, **given)


@pytest.mark.usefixtures("app")
class TestOfTheAppsSettings:
    def test_what_beat_did_not_send_in_time_is_overdue(self) -> None:
        heard()
        task("t", schedule="tick", sent_at=ago(minutes=5))
        task("r", schedule="report", sent_at=ago(days=1, hours=9))
        assert evidence(KEY) == {
            "tick": "tick (shop.tick, every 30 s) was due 4m 30s ago, and was not sent. It was "
            "sent last 5m 00s ago.",
            "report": "report (shop.report, 0 3 * * * UTC) was due 9h 00m ago, and was not sent. "
            "It was sent last 1d 09h ago.",
        }
        [report, _] = find(KEY)
        assert report.since == ago(hours=9)
        assert report.numbers == {"seconds": 32_400.0, "task": "shop.report"}

    def test_what_follows_the_sun_is_foretold(self, app: celery.Celery) -> None:
        heard()
        app.conf.beat_schedule = {"sun": {"task": "shop.light", "schedule": at_sunset()}}
        task("s", schedule="sun", sent_at=ago(days=1, hours=19))
        assert evidence(KEY) == {
            "sun": "sun (shop.light, sunset at 52, 13) was due 19h 08m ago, and was not sent. It "
            "was sent last 1d 19h ago."
        }

    def test_what_was_sent_is_not(self) -> None:
        heard()
        task("t", schedule="tick", sent_at=ago(seconds=80))  # a minute is allowed
        task("r", schedule="report", sent_at=ago(hours=8, minutes=59))
        assert find(KEY) == []
        assert [one.subject for one in find(KEY, least=20)] == ["tick"]

    def test_what_comes_seldom_may_be_later(self) -> None:
        heard()
        task("t", schedule="tick", sent_at=NOW)
        task("r", schedule="report", sent_at=ago(days=1, hours=9))
        assert find(KEY, most=86_400, share=0.5) == []

    def test_what_is_on_record_not_once_was_due_since_beat_came_up(self) -> None:
        heard(started_at=ago(minutes=10))
        assert evidence(KEY) == {
            "tick": "tick (shop.tick, every 30 s) was due 9m 30s ago, and was not sent. No time "
            "that it was sent is on record."
        }

    def test_of_a_beat_that_was_never_heard_of_nothing_is_known(self) -> None:
        assert find(KEY) == []

    def test_what_was_sent_before_is_known_without_a_beat(self) -> None:
        task("t", schedule="tick", sent_at=ago(minutes=5))
        assert [one.subject for one in find(KEY)] == ["tick"]

    def test_what_an_operator_retried_beat_has_not_sent(self) -> None:
        heard()
        task("r", schedule="report", sent_at=NOW)
        task("t", schedule="tick", sent_at=ago(minutes=5))
        task("again", schedule="tick", sent_at=NOW, retry_of="t")
        assert [one.subject for one in find(KEY)] == ["tick"]

    def test_of_tasks_that_are_noise_nothing_is_known(self, settings: Any) -> None:
        settings.Z4J = {"SAMPLING": {"shop.*": 0.1}}
        heard()
        assert find(KEY) == []

    def test_what_is_not_stored_yet_may_have_been_sent(self) -> None:
        heard()
        task("t", schedule="tick", sent_at=NOW)
        task("r", schedule="report", sent_at=ago(days=1, hours=9))
        place = {"host": "h", "directory": "/j", "pending": 9, "oldest": ago(hours=10)}
        journal = JournalRecord.objects.create(**place, seen_at=NOW)
        assert find(KEY) == []
        journal.seen_at = ago(minutes=6)
        journal.save()
        assert [one.subject for one in find(KEY)] == ["report"]

    def test_many_are_asked_for_in_few_queries(
        self, app: celery.Celery, django_assert_max_num_queries: Any
    ) -> None:
        heard()
        app.conf.beat_schedule = {
            f"tick {number}": {"task": "shop.tick", "schedule": 30.0} for number in range(120)
        }
        for number in range(120):
            task(f"t{number}", schedule=f"tick {number}", sent_at=ago(seconds=number))
        # Of the beats, of the newest tasks, at most fifty at once, of their times, of the journals.
        with django_assert_max_num_queries(6):
            late = find(KEY)
        assert len(late) == 29


@pytest.fixture(scope="module")
def _tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with beat.tables(django_db_blocker):
        yield


class TestOfDjangoCeleryBeat:
    @pytest.fixture(autouse=True)
    def _installed(self, _tables: None, app: celery.Celery) -> Iterator[None]:
        app.conf.beat_schedule = {"report": {"task": "shop.old", "schedule": 30.0}}
        with beat.installed():
            yield

    def made(self, name: str, kind: str, changed: timedelta, **fields: Any) -> None:
        row = schedule(name, kind, **fields)
        type(row).objects.filter(pk=row.pk).update(date_changed=NOW - changed)

    def test_what_beat_did_not_send_in_time_is_overdue(self) -> None:
        week, hour = timedelta(days=7), timedelta(hours=1)
        self.made("nightly", "crontab", week, last_run_at=ago(days=1, hours=9))
        self.made("often", "interval", week, last_run_at=ago(seconds=100))
        self.made("sent", "interval", week, last_run_at=ago(hours=1))
        self.made("new", "crontab", hour)
        self.made("off", "interval", week, enabled=False)
        self.made("once", "interval", week, one_off=True)
        self.made("over", "interval", week, expires=ago(hours=1))
        self.made("to come", "interval", week, start_time=ago(hours=-1))
        self.made("sun", "solar", week)
        self.made("clock", "clocked", week)
        task("t", schedule="sent", sent_at=ago(seconds=10))
        told = evidence(KEY)
        assert told.pop("nightly") == (
            "nightly (shop.report, 0 3 * * * UTC) was due 9h 00m ago, and was not sent. It was "
            "sent last 1d 09h ago."
        )
        assert told.pop("sun").startswith(
            "sun (shop.report, sunset at 52, 13) was due 6d 19h ago, and was not sent. "
        )
        assert told == {}

    def test_a_sunset_is_late_a_quarter_of_an_hour_after_it(self) -> None:
        self.made("sun", "solar", timedelta(days=7), last_run_at=ago(days=1, hours=-5))
        sunset = NOW.replace(hour=16, minute=52, second=53)
        one = CONDITIONS[KEY]
        for minutes, wanted in ((14, []), (17, ["sun"])):
            scene = Scene("default", sunset + timedelta(minutes=minutes))
            assert [found.subject for found in one.find(scene, one.thresholds())] == wanted

    def test_what_is_off_there_is_off_though_the_settings_have_it(self) -> None:
        heard()
        assert [one.subject for one in find(KEY)] == ["report"]
        self.made("report", "interval", timedelta(days=7), enabled=False)
        assert find(KEY) == []

    def test_one_that_can_not_be_read_is_left_out(self) -> None:
        week = timedelta(days=7)
        self.made("nightly", "crontab", week)
        row = schedule("broken", "crontab")
        row.crontab.hour = "25"
        row.crontab.save()
        assert [one.subject for one in find(KEY)] == ["nightly"]


class TestBeatStopped:
    def test_one_that_said_goodbye_is_missed(self) -> None:
        heard(last_seen=ago(minutes=6))
        WorkerRecord.objects.update(online=False, stopped_at=ago(minutes=5))
        assert evidence("beat_stopped") == {
            "": "No beat runs: beat@h stopped 5m 00s ago. No schedule is kept."
        }
        assert evidence(KEY) == {}

    def test_one_that_says_nothing_is_missed(self) -> None:
        heard(last_seen=ago(minutes=3))
        assert evidence("beat_stopped") == {
            "": "No beat runs: beat@h has said nothing for 3m 00s. No schedule is kept."
        }

    def test_one_of_two_is_enough(self) -> None:
        heard(last_seen=ago(hours=1))
        WorkerRecord.objects.create(
            hostname="beat@other", pool="beat", online=True, last_seen=ago(seconds=9)
        )
        assert find("beat_stopped") == []

    def test_a_deployment_takes_some_time(self) -> None:
        heard(last_seen=ago(seconds=100))
        assert find("beat_stopped") == []

    def test_nobody_waits_for_one_that_left_long_ago(self) -> None:
        heard(started_at=ago(days=9), last_seen=ago(days=8))
        assert find("beat_stopped") == []

    def test_a_project_without_one_misses_none(self) -> None:
        WorkerRecord.objects.create(hostname="w@h", pool="prefork", online=True)
        assert find("beat_stopped") == []

    def test_a_beat_is_no_worker(self) -> None:
        heard()
        assert [one.subject for one in find("no_workers")] == [""]
