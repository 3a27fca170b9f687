"""Tasks that workers passed over, told from those that merely wait, however long a queue is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.integration.pages import task
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import status
from z4j_django.queries.cursors import Cursor

pytestmark = pytest.mark.django_db

NOW = timezone.now()
AGO = NOW - timedelta(hours=1)


def sent(name: str, at: datetime = AGO, **columns: Any) -> TaskRecord:
    return task(name, **{"state": "PENDING", "queue": "mail", "sent_at": at, **columns})


def taken(name: str, at: datetime = NOW, **columns: Any) -> TaskRecord:
    return sent(name, at, **{"state": "SUCCESS", "received_at": NOW, **columns})


def untaken() -> list[str]:
    """What the filter finds; what is said of all tasks has to agree."""
    everything = list(TaskRecord.objects.all())
    status.tell(everything, NOW)
    told = {one.task_id for one in everything if "not taken" in (one.status or "")}
    rows = filters.parse("is:untaken", now=NOW).page(TaskRecord.objects.all(), Cursor(), 500).rows
    assert told == {one.task_id for one in rows}
    return sorted(told)


def test_one_that_a_later_one_has_passed_was_not_taken() -> None:
    sent("first")
    taken("second", AGO + timedelta(seconds=1))
    assert untaken() == ["first"]


@pytest.mark.parametrize(
    "columns",
    [
        {"sent_at": NOW - timedelta(minutes=1)},
        {"received_at": AGO},
        {"eta": NOW + timedelta(hours=1)},
        {"eta": NOW - timedelta(minutes=1)},
        {"expires": NOW},
        {"project": "other"},
        {"queue": "other"},
        {"queue": ""},
        {"state": "REVOKED"},
    ],
    ids="-".join,
)
def test_what_is_on_its_way_or_was_taken_or_waits_for_its_moment_is_none(
    columns: dict[str, Any],
) -> None:
    sent("first", **columns)
    taken("second")
    assert untaken() == []


def test_of_one_that_had_an_eta_those_count_that_were_sent_after_it() -> None:
    sent("first", eta=AGO + timedelta(minutes=30))
    taken("second", AGO + timedelta(minutes=20))
    assert untaken() == []
    taken("third", AGO + timedelta(minutes=31))
    assert untaken() == ["first"]


def test_what_came_before_it_does_not_count_though_it_is_on_record_later() -> None:
    sent("first")
    taken("put on record late", AGO - timedelta(seconds=1))
    assert untaken() == []


def test_in_a_queue_that_nobody_consumes_nothing_was_passed_over() -> None:
    taken("in better days", AGO - timedelta(hours=1))
    for number in range(50):
        sent(f"waits-{number}", AGO + timedelta(seconds=number))
    assert untaken() == []


def test_all_that_a_broker_has_lost_are_known_once_it_is_in_use_again() -> None:
    for number in range(50):
        sent(f"lost-{number:02}")
    for number in range(2):
        taken(f"since-{number}")
    lost = [f"lost-{number:02}" for number in range(50)]
    assert untaken() == lost
    for number in range(16):
        sent(f"fresh-{number}", NOW)
    assert untaken() == lost


def test_while_many_wait_behind_it_nothing_is_said_yet() -> None:
    sent("lost")
    taken("taken", AGO + timedelta(seconds=1))
    for number in range(17):
        sent(f"waits-{number}", AGO + timedelta(seconds=2))
    assert untaken() == []
    TaskRecord.objects.filter(task_id="waits-0").update(received_at=NOW, state="STARTED")
    assert untaken() == ["lost"]
