"""Errors that are new, and errors that came back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.finding import ago, evidence, find
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.models import ErrorGroup, Release
from z4j_django.queries import filter as filters

pytestmark = pytest.mark.django_db


def error(fingerprint: int = 0x1F, **fields: Any) -> ErrorGroup:
    given = {
        "name": "shop.pay",
        "exception_type": "requests.Timeout",
        "message": "no answer\nwithin 5 s",
        "task_id": "t",
        "count": 3,
        "first_seen": ago(minutes=12),
        "last_seen": ago(minutes=1),
    }
    return ErrorGroup.objects.create(fingerprint=fingerprint, **{**given, **fields})


def test_an_error_that_was_never_seen_before_is_new_for_an_hour() -> None:
    error()
    error(2, first_seen=ago(hours=2))
    assert evidence("new_error") == {
        "000000000000001f": "shop.pay fails with requests.Timeout: no answer within 5 s. It was "
        "seen first 12m 00s ago, 3 times in all."
    }
    [finding] = find("new_error")
    assert finding.since == ago(minutes=12)
    assert finding.numbers == {"failures": 3, "task": "shop.pay"}
    condition = CONDITIONS["new_error"]
    assert condition.filter is not None
    assert str(filters.parse(condition.filter(finding))) == "error:000000000000001f"


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "ignored"},
        {"state": "resolved"},
        {"regressed_at": ago(minutes=1)},
        {"project": "other"},
        {"name": "", "exception_type": ""},
    ],
    ids=["ignored", "resolved", "regressed", "another project's", "all others"],
)
def test_an_error_to_which_somebody_has_seen_is_not_news(fields: dict[str, Any]) -> None:
    error(**fields)
    assert find("new_error") == []


def test_it_may_take_more_than_one_failure() -> None:
    error()
    assert find("new_error", failures=4) == []


def test_an_error_that_came_back_is_told_until_somebody_sees_to_it() -> None:
    Release.objects.create(key=7, name="v2.1", first_seen=ago(days=1), last_seen=ago(days=1))
    error(regressed_at=ago(minutes=4), resolved_release=7, first_seen=ago(days=9))
    error(2, regressed_at=ago(minutes=5), count=1)
    assert evidence("regressed_error") == {
        "000000000000001f": "shop.pay fails with requests.Timeout: no answer within 5 s. It was "
        "said to be resolved in v2.1, and came back 4m 00s ago; it was seen 3 times in all.",
        "0000000000000002": "shop.pay fails with requests.Timeout: no answer within 5 s. It was "
        "said to be resolved, and came back 5m 00s ago; it was seen 1 time in all.",
    }
    assert find("regressed_error")[1].since == ago(minutes=4)
    ErrorGroup.objects.update(state="ignored")
    assert find("regressed_error") == []


def test_no_text_makes_evidence_too_long() -> None:
    long = {"name": "x" * 255, "exception_type": "y" * 255, "message": "z" * 5_000}
    error(regressed_at=ago(minutes=4), **long)
    error(2, **long)
    for key in ("new_error", "regressed_error"):
        [finding] = find(key)
        assert len(finding.evidence) <= 500
