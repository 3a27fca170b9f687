"""Tasks that expire in bulk, in the queue or with a worker that came too late."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.counted import counted
from tests.integration.finding import ago, evidence, find
from tests.integration.pages import task
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters

pytestmark = pytest.mark.django_db

KEY = "expired_in_bulk"


def waits(number: int, **fields: Any) -> None:
    """Tasks that nobody took before they expired."""
    given = {"queue": "mail", "sent_at": ago(minutes=30), "expires": ago(minutes=20), **fields}
    for _ in range(number):
        task(f"t{TaskRecord.objects.count()}", name="shop.mail", state="PENDING", **given)


def thrown(number: int, **fields: Any) -> None:
    """Tasks that a worker took too late."""
    for _ in range(number):
        task(
            f"t{TaskRecord.objects.count()}",
            name="shop.mail",
            **{
                "state": "REVOKED",
                "queue": "mail",
                "exception_message": "expired",
                "sent_at": ago(minutes=30),
                "expires": ago(minutes=20),
                "finished_at": ago(minutes=10),
                **fields,
            },
        )


def listed() -> int:
    [finding] = find(KEY)
    condition = CONDITIONS[KEY]
    assert condition.filter is not None
    return filters.parse(condition.filter(finding)).matches(TaskRecord.objects.all()).count()


def test_what_nobody_took_and_what_came_too_late_is_told_by_queue() -> None:
    counted(ago(minutes=30), "shop.mail", "mail", sent=10)
    waits(4)
    thrown(2)
    waits(9, queue="bulk", expires=ago(minutes=-5))
    assert evidence(KEY) == {
        "mail": "At least 6 tasks of the queue mail expired in the last 1h 00m, in which 10 were "
        "sent: 4 that nobody took and 2 that a worker took too late."
    }
    [finding] = find(KEY)
    assert finding.since == ago(minutes=20)
    assert listed() == 4


def test_what_workers_threw_away_alone_is_found_too() -> None:
    thrown(6)
    assert find(KEY)[0].since == ago(minutes=10)
    assert listed() == 6


def test_a_few_are_no_bulk() -> None:
    waits(4)
    assert find(KEY) == []


def test_a_small_share_of_a_busy_queue_may_expire() -> None:
    counted(ago(minutes=30), "shop.mail", "mail", sent=100)
    waits(10)
    assert find(KEY) == []
    assert len(find(KEY, share=0.05)) == 1
    assert len(find(KEY, most=10)) == 1


def test_what_expired_long_ago_or_was_revoked_by_somebody_is_not_meant() -> None:
    waits(9, expires=ago(hours=2))
    thrown(9, finished_at=ago(hours=2))
    thrown(9, exception_message="revoked")
    assert find(KEY) == []
