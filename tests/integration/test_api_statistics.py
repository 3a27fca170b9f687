"""Statistics over the API."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.api_client import address, body, client, problem
from tests.integration.counted import counted
from z4j_django.counters import COUNTERS, HOUR

pytestmark = pytest.mark.django_db

NAMES = address("task-types")
SERIES = address("statistics")
#: A whole hour that is over.
HOURS = (int(time.time()) // HOUR - 2) * HOUR


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def asked(where: str, **query: Any) -> Any:
    query = {"since": iso(HOURS), "until": iso(HOURS + HOUR), **query}
    return client().get(where, {name: value for name, value in query.items() if value is not None})


def test_a_series_has_counters_rates_and_percentiles() -> None:
    counted(HOURS + 5, started=3, succeeded=2, failed=1, runs={1.0: 3}, waits={0.5: 3})
    told = body(asked(SERIES, step="1h", name="shop.export"))
    assert told["step"] == HOUR
    assert told["since"] == datetime.fromtimestamp(HOURS, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    [point] = told["points"]
    assert {name: point[name] for name in COUNTERS if point[name]} == {
        "started": 3,
        "succeeded": 2,
        "failed": 1,
    }
    assert point["rate"] == 3 / HOUR
    assert point["failure_share"] == pytest.approx(1 / 3)
    assert point["runtime"]["p99"] == pytest.approx(1.0, rel=0.42)
    assert point["wait"]["p50"] == pytest.approx(0.5, rel=0.42)


def test_without_a_range_the_last_hour_is_told() -> None:
    counted(time.time(), started=1)
    told = body(client().get(SERIES))
    assert (told["step"], sum(point["started"] for point in told["points"])) == (60, 1)
    assert len(told["points"]) in (60, 61)


@pytest.mark.parametrize(
    ("query", "name", "reason"),
    [
        ({"step": "1d"}, "step", "Over this range a step has to be one of 1m, 5m, 15m, 1h."),
        ({"step": "7m"}, "step", "It has to be one of 1m, 5m, 15m, 1h, 6h, 1d."),
        (
            {"until": "soon"},
            "until",
            "It has to be a time as ISO 8601 has it: 2026-11-28T12:00:00Z.",
        ),
        ({"until": iso(HOURS - 5)}, "since", "A range has to end after it begins."),
        ({"since": iso(HOURS - 401 * 86_400)}, "since", "A range has at most 400 days."),
        ({"since": "0001-01-01"}, "since", None),
        ({"until": "9998-12-31T23:59:59Z"}, "since", "A range has at most 400 days."),
    ],
)
def test_what_no_series_has_is_told_with_what_there_is(
    query: dict[str, str], name: str, reason: str | None
) -> None:
    told = problem(asked(SERIES, **query), 400)
    [mistake] = told["errors"]
    assert mistake["name"] == name
    assert reason is None or mistake["reason"] == reason


def test_names_come_page_by_page_in_any_order() -> None:
    for number in range(7):
        counted(HOURS, f"shop.{number}", started=number % 3 + 1, failed=number % 2)
    for order in ("started", "name", "failed", "failure_share"):
        whole = [one["name"] for one in body(asked(NAMES, ordering=order))["results"]]
        page = body(asked(NAMES, ordering=order, limit=3))
        assert page["previous"] is None
        pages = [page]
        while pages[-1]["next"]:
            pages.append(body(client().get(pages[-1]["next"])))
        assert [one["name"] for page in pages for one in page["results"]] == whole
        assert [len(page["results"]) for page in pages] == [3, 3, 1]
        assert body(client().get(pages[2]["previous"]))["results"] == pages[1]["results"]
        assert body(client().get(pages[1]["previous"]))["results"] == pages[0]["results"]


def test_a_cursor_of_another_list_is_told() -> None:
    for cursor in ("nonsense", "bAAAAAAAAAAE", "ü"):
        [mistake] = problem(asked(NAMES, cursor=cursor), 400)["errors"]
        assert mistake == {"name": "cursor", "reason": "It is no cursor of this list."}


def test_a_name_is_told_by_queue_over_time_and_compared() -> None:
    counted(HOURS, "shop.add", "mail", started=3)
    counted(HOURS, "shop.add", "slow", started=1)
    counted(HOURS - HOUR, "shop.add", "slow", started=2)
    told = body(asked(address("task-types", "shop.add"), compare="hour", step="1h"))
    assert (told["name"], told["started"], told["earlier"]["started"]) == ("shop.add", 4, 2)
    assert [(one["queue"], one["started"]) for one in told["queues"]] == [("mail", 3), ("slow", 1)]
    assert [point["started"] for point in told["series"]["points"]] == [4]
    assert told["url"] == "http://testserver/z4j/api/task-types/shop.add/"
    assert body(asked(address("task-types", "shop.add")))["earlier"] is None


@pytest.mark.parametrize(
    "name",
    ["a/b/../c", "<script>", "50%25 off", "ünïcödé 漢字", 'quotes "and"', "line\nend", "x" * 255],
)
def test_hostile_names_are_found_by_the_addresses_that_are_told(name: str) -> None:
    counted(HOURS, name, started=1)
    [row] = body(asked(NAMES))["results"]
    assert row["name"] == name
    where = row["url"].partition("?")[0]
    assert body(asked(where))["name"] == name


@pytest.mark.parametrize("name", ["unheard of", "x" * 256, "a\x00b"])
def test_what_was_never_counted_is_not_found(name: str) -> None:
    counted(HOURS, started=1)
    problem(asked(address("task-types", name)), 404)


def test_projects_are_told_apart() -> None:
    counted(HOURS, "shop.add", started=1)
    counted(HOURS, "bank.pay", project="bank", started=2)
    [row] = body(asked(NAMES, project="bank"))["results"]
    assert (row["name"], row["project"]) == ("bank.pay", "bank")
    assert "project=bank" in row["url"]
    assert body(client().get(row["url"]))["name"] == "bank.pay"
