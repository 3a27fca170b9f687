"""How capture stands by what is on record, and that the admin shows it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.integration.pages import NOW, SCRIPT, TASKS, page, superuser, text
from z4j_django.agent import events
from z4j_django.conditions import capture
from z4j_django.models import JournalCursor, JournalLoss, JournalRecord, WorkerRecord
from z4j_django.queries import health

pytestmark = pytest.mark.django_db

INDEX = reverse("admin:index")
APP_INDEX = reverse("admin:app_list", args=["z4j_django"])
JOURNALS = reverse("admin:z4j_django_journalrecord_changelist")
LOSSES = reverse("admin:z4j_django_journalloss_changelist")


def journal(seen: datetime, **fields) -> JournalRecord:
    values = {"host": "web1", "directory": "/var/tmp/j", "pid": 7, "seen_at": seen, **fields}
    return JournalRecord.objects.create(**values)


def loss(at: datetime, count: int, reason: str = events.UNWRITTEN) -> JournalLoss:
    return JournalLoss.objects.create(host="web1", reason=reason, count=count, at=at)


def worker(name: str, seen: timedelta | None, *, online: bool = True) -> None:
    last_seen = NOW - seen if seen is not None else None
    WorkerRecord.objects.create(hostname=name, online=online, last_seen=last_seen)


def state(**fields) -> str:
    return health.journal(JournalRecord(**fields), NOW).state


def test_a_journal_that_is_heard_of_is_shipped() -> None:
    assert state(seen_at=NOW - timedelta(seconds=11)) == "shipping"


def test_a_journal_whose_events_wait_is_behind() -> None:
    assert state(seen_at=NOW, pending=9, oldest=NOW - timedelta(seconds=31)) == "behind"
    assert state(seen_at=NOW, pending=9, oldest=NOW - timedelta(seconds=29)) == "shipping"


def test_a_journal_without_a_word_is_silent_unless_the_last_word_was_that_all_is_stored() -> None:
    before = NOW - timedelta(seconds=61)
    assert state(seen_at=before, pending=9) == "silent"
    assert state(seen_at=before, pending=0) == "stopped"


def test_a_clock_that_is_ahead_makes_nothing_negative() -> None:
    ahead = NOW + timedelta(seconds=5)
    found = health.journal(JournalRecord(seen_at=ahead, oldest=ahead + timedelta(seconds=1)), NOW)
    assert (found.lag, found.silence) == (timedelta(), timedelta())


def test_losses_are_summed_by_reason_for_a_day_and_ever() -> None:
    loss(NOW - timedelta(hours=1), 3)
    loss(NOW - timedelta(hours=25), 4)
    loss(NOW - timedelta(hours=25), 5, events.OVER_CAP)
    found = health.health(NOW)
    assert found.losses == (
        health.Loss(events.UNWRITTEN, recent=3, ever=7),
        health.Loss(events.OVER_CAP, recent=0, ever=5),
    )


def test_no_more_losses_are_summed_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOSSES_LIMIT", 2)
    for hours in range(3):
        loss(NOW - timedelta(hours=hours), 1)
    assert health.losses(NOW) == (health.Loss(events.UNWRITTEN, recent=2, ever=2),)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="others read a small table whole")
def test_the_newest_losses_are_found_by_the_index() -> None:
    newest = JournalLoss.objects.order_by("-at")[: health.LOSSES_LIMIT]
    assert "z4j_loss_at" in newest.explain()


def test_workers_are_counted_by_their_presence() -> None:
    worker("here", timedelta(seconds=10))
    worker("silent", timedelta(minutes=3))
    worker("gone", timedelta(days=2))
    worker("stopped", timedelta(days=2), online=False)
    assert health.count_workers(NOW) == health.Workers(online=1, silent=1, gone=1, offline=1)


def test_positions_of_many_segments_are_found() -> None:
    JournalCursor.objects.create(segment="s7", offset=70)
    assert health.positions([f"s{number}" for number in range(1200)]) == {"s7": 70}


def test_all_is_well_where_a_shipper_reports_and_nothing_is_lost() -> None:
    journal(NOW)
    worker("here", timedelta())
    assert capture.words(NOW) == []


def test_troubles_are_told_in_words() -> None:
    journal(NOW, oldest=NOW - timedelta(seconds=95), pending=9)
    journal(NOW - timedelta(hours=3), host="web2", pending=1)
    worker("silent", timedelta(minutes=3))
    loss(NOW, 3)
    assert capture.words(NOW) == [
        "The journal of web2 (/var/tmp/j) is silent: no shipper has reported for 3 hours, with "
        "1 byte to store.",
        "3 events were lost (unwritten), the last 0 seconds ago.",
        "The journal of web1 (/var/tmp/j) is behind: the oldest event has waited for 1m 35s.",
        "No worker is online: the last, silent, was heard of 3m 00s ago.",
        "silent says nothing: it was last heard of 3m 00s ago.",
    ]
    assert len(capture.words(NOW, workers=False)) == 3


def test_a_condition_that_is_switched_off_is_no_trouble(settings: Any) -> None:
    journal(NOW, oldest=NOW - timedelta(seconds=95), pending=9)
    settings.Z4J = {"CONDITIONS": {"journal_behind": False, "no_workers": False}}
    assert capture.words(NOW) == []


def test_silence_is_a_trouble() -> None:
    worker("here", timedelta())
    assert capture.words(NOW) == ["Nobody ships: no shipper has ever reported."]
    journal(NOW - timedelta(minutes=2))
    assert capture.words(NOW) == ["Nobody ships: no shipper has reported for 2 minutes."]


def test_that_no_worker_is_online_is_a_trouble() -> None:
    journal(NOW)
    assert capture.words(NOW) == ["No worker is online: none was ever heard of."]
    worker("stopped", timedelta(minutes=5), online=False)
    assert capture.words(NOW) == [
        "No worker is online: the last, stopped, was heard of 5m 00s ago."
    ]
    assert capture.words(NOW, workers=False) == []


def test_the_health_costs_three_queries(django_assert_num_queries) -> None:
    with django_assert_num_queries(3):
        health.health(NOW)


def test_the_troubles_of_a_page_cost_two(django_assert_num_queries) -> None:
    with django_assert_num_queries(2):
        capture.words(NOW, workers=False)


@pytest.mark.parametrize("address", [INDEX, APP_INDEX])
def test_the_first_pages_show_how_capture_stands(address: str) -> None:
    journal(timezone.now(), oldest=timezone.now() - timedelta(minutes=5, seconds=9), pending=77)
    loss(timezone.now(), 3)
    shown = text(superuser().get(address))
    assert "1 journal is stored" in shown
    assert "5 min behind" in shown
    assert "3 events lost in the last 24 hours" in shown


@pytest.mark.parametrize("address", [INDEX, APP_INDEX])
def test_the_first_pages_say_that_nothing_is_stored(address: str) -> None:
    assert "No shipper has ever reported" in text(superuser().get(address))


def test_the_lists_say_that_records_may_be_missing() -> None:
    client = superuser()
    assert "Nobody ships: no shipper has ever reported." in text(client.get(TASKS))
    journal(timezone.now())
    assert "z4j-troubles" not in text(client.get(TASKS))


def test_without_the_permission_the_first_page_shows_nothing_of_it() -> None:
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_taskrecord"))
    client = Client()
    client.force_login(user)
    assert "z4j-recording" not in text(client.get(INDEX))
    shown = text(client.get(TASKS))
    assert "Nobody ships" in shown
    assert JOURNALS not in shown
    assert client.get(JOURNALS).status_code == 403


def test_the_first_page_stands_where_tables_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    client = superuser()
    monkeypatch.setattr(JournalRecord._meta, "db_table", "not_there")
    assert "The records of the tasks can" in text(client.get(INDEX))


def test_a_host_can_not_write_into_the_page() -> None:
    record = journal(timezone.now(), host=SCRIPT)
    client = superuser()
    for address in (INDEX, APP_INDEX, JOURNALS, page(record)):
        assert SCRIPT not in text(client.get(address))


def test_a_journal_has_its_page() -> None:
    record = journal(timezone.now(), pending=2048, size=4096, segments=2)
    client = superuser()
    assert page(record) in text(client.get(JOURNALS))
    shown = text(client.get(page(record)))
    assert "/var/tmp/j" in shown
    assert "shipping" in shown
    assert client.post(page(record), {"host": "x"}).status_code == 403


def test_losses_are_listed_by_reason() -> None:
    record = loss(NOW, 3)
    loss(NOW, 5, events.OVER_CAP)
    client = superuser()
    shown = client.get(LOSSES, {"reason": events.OVER_CAP})
    assert [found.count for found in shown.context["cl"].result_list] == [5]
    assert "unwritten" in text(client.get(page(record)))
