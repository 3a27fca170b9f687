"""When a schedule comes next, compared with Celery's own word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from celery import Celery, schedules
from hypothesis import given
from hypothesis import strategies as st

from z4j_django.queries.recurrence import Crontab, Interval, Solar, crontab

NOON = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


def of(text: str, zone: ZoneInfo = ZoneInfo("UTC")) -> Crontab:  # noqa: B008 - it is constant
    return crontab(zone, *text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", "2026-03-04 12:01"),
        ("*/15 * * * *", "2026-03-04 12:15"),
        ("0 12 * * *", "2026-03-05 12:00"),
        ("30 3 * * mon-fri", "2026-03-05 03:30"),
        ("0 0 1 * *", "2026-04-01 00:00"),
        ("5,35 22-2/2 * * *", "2026-03-04 22:05"),
        ("0 0 29 feb *", "2028-02-29 00:00"),
        ("0 9 * jan,Jul sunday", "2026-07-05 09:00"),
        # Celery wants both the day of the month and that of the week.
        ("0 0 13 * 5", "2026-03-13 00:00"),
    ],
)
def test_a_crontab_comes_next(text: str, expected: str) -> None:
    assert of(text).after(NOON) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_crontab_keeps_to_its_zone() -> None:
    daily = of("0 3 * * *", BERLIN)
    assert daily.after(NOON) == datetime(2026, 3, 5, 2, 0, tzinfo=UTC)
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert daily.after(summer) == datetime(2026, 7, 2, 1, 0, tzinfo=UTC)


def test_a_moment_without_a_zone_has_a_next_without_one() -> None:
    assert of("0 * * * *").after(datetime(2026, 3, 4, 12)) == datetime(2026, 3, 4, 13)


def test_a_crontab_that_never_comes_has_no_next() -> None:
    assert of("0 0 31 2 *").after(NOON) is None


def test_a_first_of_january_that_is_a_sunday_may_be_a_decade_off() -> None:
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    assert of("0 0 1 1 0").after(moment) == datetime(2034, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["60 * * * *", "* * 0 * *", "x * * * *", "*/0 * * * *", "1- * * * *"]
)
def test_what_is_no_crontab_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        of(text)


def test_an_interval_comes_so_long_after_the_last() -> None:
    assert Interval(90.0).after(NOON) == NOON + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (86_400, "every 1 d"),
        (14_400, "every 4 h"),
        (5_400, "every 90 min"),
        (90, "every 90 s"),
        (0.5, "every 0.5 s"),
        (0, "every 0 s"),
    ],
)
def test_an_interval_is_told_in_the_greatest_unit_that_fits(seconds: float, words: str) -> None:
    assert str(Interval(seconds)) == words


@pytest.mark.parametrize("seconds", [3e11, 1e15, float("inf")])
def test_an_interval_that_the_calendar_does_not_reach_has_no_next(seconds: float) -> None:
    assert Interval(seconds).after(NOON) is None


def numbers(low: int, high: int) -> st.SearchStrategy[str]:
    lists = st.lists(st.integers(low, high), min_size=1, max_size=3)
    steps = st.integers(1, high).map(lambda step: f"*/{step}")
    texts = lists.map(lambda found: ",".join(map(str, found)))
    return st.one_of(st.just("*"), steps, texts)


@given(
    st.tuples(numbers(0, 59), numbers(0, 23), numbers(1, 28), numbers(1, 12), numbers(0, 6)),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)
def test_it_is_what_celery_says(fields: tuple[str, ...], moment: datetime) -> None:
    app = Celery(set_as_current=False)
    given = dict(zip(FIELDS, fields, strict=True))
    theirs = schedules.crontab(nowfun=lambda: moment, app=app, **given)  # type: ignore[arg-type]
    ours = of(" ".join(fields))
    assert ours.minute == theirs.minute
    assert ours.day_of_week == theirs.day_of_week
    expected = moment + theirs.remaining_estimate(moment)
    found = ours.after(moment)
    assert found is not None
    assert abs((found - expected).total_seconds()) < 1


#: By PyEphem 4.2, as Celery asks it.
SUN = [
    ("sunset", 52, 13, "2026-03-04T16:52:53"),
    ("sunset", 52, 13, "2026-06-04T19:21:23"),
    ("dawn_civil", -33.9, 151.2, "2026-03-04T19:20:43"),
    ("solar_noon", 40.7, -74, "2026-03-04T17:07:37"),
    ("sunrise", 69, 18, "2026-03-04T05:58:13"),
]


class TestSolar:
    @pytest.mark.parametrize(("event", "latitude", "longitude", "text"), SUN)
    def test_it_comes_when_the_sun_does(
        self, event: str, latitude: float, longitude: float, text: str
    ) -> None:
        at = datetime.fromisoformat(f"{text}+00:00")
        one = Solar(event, latitude, longitude)
        for hours in (2, 12, 20):
            found = one.after(at - timedelta(hours=hours))
            assert found is not None
            assert abs((found - at).total_seconds()) < 60

    def test_a_moment_that_is_a_little_off_is_the_same_one(self) -> None:
        at = datetime(2026, 3, 4, 16, 52, 53, tzinfo=UTC)
        found = Solar("sunset", 52, 13).after(at - timedelta(minutes=10))
        assert found is not None
        assert found.date() == at.date() + timedelta(days=1)

    def test_of_days_without_one_nothing_is_foretold(self) -> None:
        found = Solar("sunrise", 69, 18).after(datetime(2026, 6, 4, tzinfo=UTC))
        assert found is not None
        assert datetime(2026, 7, 22, tzinfo=UTC) < found < datetime(2026, 8, 1, tzinfo=UTC)

    @pytest.mark.parametrize(("event", "latitude"), [("moonrise", 0), ("sunset", 90)])
    def test_what_there_is_none_of_is_refused(self, event: str, latitude: float) -> None:
        with pytest.raises(ValueError, match=f"There is no {event} at the latitude {latitude}"):
            Solar(event, latitude, 0)
