"""What failures have in common: planted cases, and what must not be told."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from z4j_django.models import ErrorGroup, Release, TaskRecord
from z4j_django.queries import commonalities
from z4j_django.secrets.masking import MASK
from z4j_django.values import release_key

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CAUSE = 0x0F1E2D3C4B5A6978


def error(**fields: Any) -> ErrorGroup:
    return ErrorGroup(fingerprint=CAUSE, name="shop.pay", **fields)


def plant(count: int, make: Callable[[int, random.Random], dict[str, Any]]) -> None:
    """So many tasks, alike in every run; of each ``make`` says what is its own."""
    dice = random.Random(4711)
    rows = []
    for number in range(count):
        own = make(number, dice)
        fails = own.pop("fails")
        rows.append(
            TaskRecord(
                **{
                    "task_id": f"t{number}",
                    "name": "shop.pay",
                    "state": "FAILURE" if fails else "SUCCESS",
                    "error": CAUSE if fails else None,
                    "queue": "mail",
                    "worker": f"w{dice.randrange(4)}@h",
                    "args": [],
                    "kwargs": {},
                    "started_at": NOW + timedelta(seconds=number),
                    **own,
                }
            )
        )
    TaskRecord.objects.bulk_create(rows, batch_size=500)


def told(found: commonalities.Comparison) -> list[str]:
    return [str(fact) for fact in found.facts]


def test_the_tenant_that_fails_is_found() -> None:
    def make(number: int, dice: random.Random) -> dict[str, Any]:
        fails = dice.random() < 0.2
        tenant = "acme" if dice.random() < (0.94 if fails else 0.12) else f"t{number % 40}"
        kwargs = {"tenant": tenant, "order": number, "dry": False, "card": MASK}
        return {"fails": fails, "kwargs": kwargs, "args": [number, "web"]}

    plant(2_000, make)
    found = commonalities.of(error())
    (fact,) = found.facts
    assert (fact.name, fact.value) == ("kwargs.tenant", "acme")
    assert 0.9 < fact.failures < 0.98
    assert 0.08 < fact.successes < 0.16
    assert str(fact) == (
        f"kwargs.tenant = acme: {fact.failures:.0%} of failures, {fact.successes:.0%} of successes"
    )
    assert found.failures > 300
    assert found.successes > 500


def test_the_worker_the_queue_the_release_and_an_argument_are_found_that_differs_most_first() -> (
    None
):
    Release.objects.create(key=release_key("8"), name="8", first_seen=NOW, last_seen=NOW)

    def make(number: int, dice: random.Random) -> dict[str, Any]:
        fails = number % 4 == 0
        bad = lambda share: dice.random() < share  # noqa: E731
        return {
            "fails": fails,
            "worker": "w9@h" if fails and bad(0.9) else "w1@h",
            "queue": "slow" if fails and bad(0.7) else "mail",
            "release": release_key("8") if fails and bad(0.5) else None,
            "args": [3 if fails and bad(0.3) else number],
        }

    plant(1_000, make)
    names = [fact.name for fact in commonalities.of(error()).facts]
    assert names == ["worker", "queue", "release", "args[0]"]


def test_where_nothing_differs_nothing_is_told() -> None:
    plant(
        2_000,
        lambda number, dice: {
            "fails": number % 3 == 0,
            "kwargs": {"tenant": dice.choice("abc"), "order": number},
            "queue": dice.choice(("mail", "bulk")),
        },
    )
    assert told(commonalities.of(error())) == []


def test_of_masked_cut_long_and_nested_values_nothing_is_told() -> None:
    hidden = {
        "password": MASK,
        "shown": f"{MASK} acme",
        "cut": "acme… (9,000 characters)",
        "object": "<shop.models.Order>",
        "long": "x" * 101,
        "list": ["acme"],
        "k" * 61: "acme",
    }
    plant(
        400,
        lambda number, dice: {
            "fails": number % 2 == 0,
            "kwargs": hidden if number % 2 == 0 else {},
            "args": [MASK] if number % 2 == 0 else [],
        },
    )
    assert told(commonalities.of(error())) == []


def test_chosen_arguments_are_left_out() -> None:
    plant(
        100,
        lambda number, dice: {
            "fails": number % 2 == 0,
            "kwargs": {MASK: "acme"} if number % 2 == 0 else {},
            "args": [f"{MASK} acme"],
        },
    )
    assert told(commonalities.of(error())) == []


@pytest.mark.parametrize("count", [0, 3, 8])
def test_a_few_tasks_say_nothing(count: int) -> None:
    plant(
        count,
        lambda number, dice: {"fails": number % 2 == 0, "queue": "ab"[number % 2]},
    )
    found = commonalities.of(error())
    assert found.facts == []


def test_no_success_is_nothing_to_compare_with() -> None:
    plant(50, lambda number, dice: {"fails": True, "queue": "slow"})
    found = commonalities.of(error())
    assert (found.facts, found.failures, found.successes) == ([], 50, 0)


def test_an_hour_in_which_only_failures_were_sampled_is_not_told() -> None:
    """Failures over ten hours, and many more successes all the while."""
    plant(
        6_000,
        lambda number, dice: {
            "fails": number % 60 == 0,
            "started_at": NOW + timedelta(seconds=6 * number),
        },
    )
    assert told(commonalities.of(error())) == []


def test_other_tasks_projects_and_errors_have_no_say() -> None:
    def make(number: int, dice: random.Random) -> dict[str, Any]:
        foreign = {"project": "other"} if number % 3 == 0 else {"name": "shop.mail"}
        mine = number % 5 == 0
        own: dict[str, Any] = {} if mine else {**foreign, "error": 17}
        return {
            "fails": number % 2 == 0,
            "kwargs": {"tenant": "acme" if mine or number % 2 else "other"},
            **own,
        }

    plant(1_000, make)
    assert told(commonalities.of(error())) == []


def test_hostile_arguments_are_bounded() -> None:
    plant(
        60,
        lambda number, dice: {
            "fails": number % 2 == 0,
            "kwargs": {f"k{key}\x1b[31m<b>": "v" for key in range(300)},
            "args": list(range(300)) if number % 2 == 0 else [],
        },
    )
    facts = commonalities.of(error()).facts
    assert len(facts) == commonalities.TOLD
    assert all(fact.name in [f"args[{place}]" for place in range(50)] for fact in facts)


def test_it_looks_at_no_more_than_it_was_asked_to() -> None:
    plant(2_000, lambda number, dice: {"fails": number % 50 != 0, "queue": "ab"[number % 50 == 0]})
    found = commonalities.of(error(), sample=200)
    assert found.failures == 200
    assert 0 < found.successes <= 40


def test_it_asks_a_bounded_number_of_queries() -> None:
    plant(5_000, lambda number, dice: {"fails": number % 2 == 0})
    with CaptureQueriesContext(connection) as captured:
        found = commonalities.of(error())
    assert found.failures == 1_000
    assert 900 < found.successes <= 1_000
    assert len(captured) <= 4, len(captured)
