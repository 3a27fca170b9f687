"""RetentionPolicy as people write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from z4j_django import checks, conf, retention_policy, states

KEYS = (
    "PENDING, RECEIVED, STARTED, RETRY, IGNORED, REJECTED, REVOKED, FAILURE, SUCCESS, "
    "unfinished, default, payloads, operations, samples, conditions, alerts, "
    "statistics_minutes, statistics_hours, statistics_days"
)


@pytest.mark.parametrize(
    ("given", "age"),
    [
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        (" 4 w ", timedelta(weeks=4)),
        (timedelta(minutes=5), timedelta(minutes=5)),
    ],
)
def test_an_age_is_text_or_a_timedelta(given: Any, age: timedelta) -> None:
    assert retention_policy.parse(given) == age


@pytest.mark.parametrize("given", ["", "d", "7", "3m", "7d7", "-7d", "1.5d", "7D", "٣d", 7, True])
def test_what_is_no_age_is_told(given: Any) -> None:
    with pytest.raises(ValueError, match="no age") as told:
        retention_policy.parse(given)
    assert str(told.value) == f'{given!r}, which is no age; write "12h", "7d" or "4w".'


@pytest.mark.parametrize("given", ["0d", "5201w", timedelta(0), timedelta(days=-1)])
def test_an_age_has_a_length(given: Any) -> None:
    with pytest.raises(ValueError, match="longer than nothing and at most 5200 weeks"):
        retention_policy.parse(given)


def test_the_most_particular_age_counts() -> None:
    given = {"SUCCESS": "7d", "RETRY": "2d", "default": "30d", "unfinished": None}
    found = retention_policy.from_setting(given)
    assert found.tasks["SUCCESS"] == timedelta(days=7)
    assert found.tasks["FAILURE"] == found.rest == timedelta(days=30)
    assert states.UNFINISHED & found.tasks.keys() == {"RETRY"}
    assert found.shortest == timedelta(days=2)


def test_without_a_default_the_rest_is_kept() -> None:
    found = retention_policy.from_setting({"SUCCESS": "7d"})
    assert (list(found.tasks), found.rest) == (["SUCCESS"], None)
    assert (
        retention_policy.from_setting({})
        == retention_policy.from_setting({"default": None})
        == retention_policy.RetentionPolicy(
            samples=timedelta(days=14),
            conditions=timedelta(days=90),
            alerts=timedelta(days=90),
            statistics={60: timedelta(days=2), 3_600: timedelta(days=90)},
        )
    )
    assert retention_policy.RetentionPolicy().shortest is None


def test_one_age_for_some_states_or_for_all() -> None:
    week = timedelta(weeks=1)
    assert set(retention_policy.of_states(week, ["unfinished", "FAILURE"]).tasks) == {
        *states.UNFINISHED,
        "FAILURE",
    }
    everything = retention_policy.of_states(week, [])
    assert (set(everything.tasks), everything.rest) == (set(states.ALL), week)
    assert not everything.statistics


def test_statistics_have_ages_of_their_own() -> None:
    found = retention_policy.from_setting(
        {"default": "1d", "statistics_hours": None, "statistics_days": "52w"}
    )
    assert found.statistics == {60: timedelta(days=2), 86_400: timedelta(weeks=52)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"SUCESS": "7d"}, f"Z4J['RETENTION'] has no place for 'SUCESS'; it may hold {KEYS}."),
        (
            {"FAILURE": "7x"},
            "Z4J['RETENTION']['FAILURE'] is '7x', which is no age; "
            'write "12h", "7d" or "4w".',
        ),
        (
            {"default": "0d"},
            "Z4J['RETENTION']['default'] is '0d'; an age is longer than nothing and at most 5200 "
            "weeks.",
        ),
    ],
)
def test_a_wrong_setting_names_key_and_value(settings: Any, given: Any, message: str) -> None:
    settings.Z4J = {"RETENTION": given}
    with pytest.raises(ImproperlyConfigured) as told:
        conf.settings.RETENTION  # noqa: B018  # loads the setting
    assert str(told.value) == message
    assert [(found.id, found.msg) for found in checks.check_setting()] == [
        ("z4j_django.E001", message)
    ]


def test_messages_and_operations_have_only_the_age_that_they_are_given() -> None:
    found = retention_policy.from_setting({"default": "30d"})
    assert (found.payloads, found.operations) == (None, None)
    found = retention_policy.from_setting({"payloads": "7d", "operations": "52w"})
    assert (found.payloads, found.operations) == (timedelta(days=7), timedelta(weeks=52))
    assert (found.rest, found.shortest, dict(found.tasks)) == (None, None, {})


def test_samples_and_ended_conditions_go_unless_it_is_said_that_they_stay() -> None:
    found = retention_policy.from_setting({"default": "1d"})
    assert (found.samples, found.conditions) == (timedelta(weeks=2), timedelta(days=90))
    found = retention_policy.from_setting({"samples": "4w", "conditions": None})
    assert (found.samples, found.conditions) == (timedelta(weeks=4), None)


def test_the_setting_takes_text_and_timedeltas(settings: Any) -> None:
    settings.Z4J = {"RETENTION": {"SUCCESS": "7d", "default": timedelta(days=30)}}
    assert conf.settings.retention.tasks["SUCCESS"] == timedelta(days=7)
    assert conf.settings.retention.rest == timedelta(days=30)
    settings.Z4J = {}
    assert conf.settings.retention == retention_policy.from_setting({})
