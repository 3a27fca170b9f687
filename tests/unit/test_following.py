"""When a schedule is due next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from z4j_django import handover
from z4j_django.queries.recurrence import Interval, crontab
from z4j_django.queries.timetable import Entry, entries, following

NOW = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC)
MINUTE = Entry("minutely", "shop.sync", Interval(60))
NIGHT = Entry("nightly", "shop.report", crontab(UTC, "0", "3", "*", "*", "*"))


@pytest.mark.parametrize(
    ("last", "seconds"),
    [(20, 40), (60, 60), (200, 40), (-10, 70)],
    ids=["lately", "due now", "some were missed", "a clock is ahead"],
)
def test_an_interval_goes_on_from_when_it_came_last(last: int, seconds: int) -> None:
    found = following(MINUTE, NOW - timedelta(seconds=last), NOW)
    assert found == NOW + timedelta(seconds=seconds)


def test_of_an_interval_that_never_came_nothing_is_known() -> None:
    assert following(MINUTE, None, NOW) is None


def test_an_interval_of_nothing_never_comes() -> None:
    assert following(Entry("always", "a", Interval(0)), NOW, NOW) is None
    assert following(Entry("hardly", "a", Interval(1e15)), NOW, NOW) is None


def test_a_crontab_needs_no_past() -> None:
    assert following(NIGHT, None, NOW) == datetime(2026, 3, 5, 3, 0, tzinfo=UTC)


def test_one_that_can_not_be_foretold_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery takes a place at a pole, where no sun sets."""
    pole = {"name": "polar", "task": "a", "solar": "sunset", "latitude": 90.0, "longitude": 0.0}
    given = {"entries": [pole, {"name": "minutely", "task": "b", "every": 60.0}], "tables": ""}
    monkeypatch.setattr(handover, "told", {"schedules": given}.get)
    assert [one.name for one in entries()] == ["minutely"]
