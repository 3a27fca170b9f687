"""What all conditions have in common, and what the settings may say of them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from z4j_django import checks, options
from z4j_django.conditions import registry
from z4j_django.conditions.base import Condition, Finding

ALL = list(registry.CONDITIONS.values())


@pytest.mark.parametrize("condition", ALL, ids=lambda one: one.key)
class TestEach:
    def test_it_has_a_module_of_its_name_and_words_for_people(self, condition: Condition) -> None:
        assert condition.find.__module__ == f"z4j_django.conditions.{condition.key}"
        assert re.fullmatch(r"[A-Z][^.]+", condition.title)
        assert condition.about.endswith(".")
        assert condition.remedy.endswith(".")

    def test_its_thresholds_have_bounds_and_defaults_within_them(
        self, condition: Condition
    ) -> None:
        for one in options.described(condition.thresholds).values():
            assert one.help.endswith(".")
            assert one.read(one.default) == one.default
            assert None not in one.bounds

    def test_what_it_lists_the_filter_can_read(self, condition: Condition) -> None:
        from django.utils import timezone

        from z4j_django.queries import filter as filters

        if condition.filter is not None:
            for subject in ("celery", 'a "b", c*', "-x:y", ""):
                filters.parse(condition.filter(Finding(subject, timezone.now(), "")))


def test_the_first_to_be_told_is_that_there_is_no_worker() -> None:
    assert ALL[0].key == "no_workers"
    assert ALL[-1].key == "not_evaluated"


def test_the_settings_may_change_thresholds_and_switch_conditions_off() -> None:
    found: Any = registry.thresholds({"no_workers": {"after": 5}, "slots_held": False})
    assert found["no_workers"].after == 5.0
    assert found.keys() == registry.CONDITIONS.keys() - {"slots_held"}
    assert registry.thresholds({"no_workers": True}) == registry.thresholds({})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"no_worker": {}},
            "Z4J['CONDITIONS'] has no place for 'no_worker'; it may hold "
            f"{', '.join(registry.CONDITIONS)}.",
        ),
        (
            {"no_workers": {"before": 1}},
            "Z4J['CONDITIONS']['no_workers']['before']: There is no such option; those that there "
            "are: after.",
        ),
        (
            {"no_workers": {"after": -1}},
            "Z4J['CONDITIONS']['no_workers']['after']: This has to be a number from 0 to 86,400.",
        ),
        (
            {"no_workers": {"after": "soon"}},
            "Z4J['CONDITIONS']['no_workers']['after']: This has to be a number from 0 to 86,400.",
        ),
    ],
)
def test_a_wrong_one_is_a_check_error_that_names_the_right_ones(
    settings: Any, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as told:
        registry.thresholds(given)
    assert str(told.value) == message
    settings.Z4J = {"CONDITIONS": given}
    [found] = checks.check_conditions()
    assert (found.id, found.msg) == ("z4j_django.E006", message)
    settings.Z4J = {"CONDITIONS": []}
    assert [one.id for one in checks.check_setting()] == ["z4j_django.E001"]
    assert checks.check_conditions() == []
