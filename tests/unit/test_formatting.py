from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import override_settings

import z4j_django
from z4j_django import states
from z4j_django.admin import formatting

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
STYLES = Path(z4j_django.__file__).parent / "static" / "z4j_django" / "admin.css"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.0002, "<1 ms"),
        (0.0849, "85 ms"),
        (0.9996, "1.00 s"),
        (3.4213, "3.42 s"),
        (59.999, "1m 00s"),
        (125, "2m 05s"),
        (3725, "1h 02m"),
        (90000, "1d 01h"),
        (-0.012, "-12 ms"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float | None, shown: str) -> None:
    assert formatting.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (NOW - timedelta(hours=1), "11:00:00"),
        (NOW - timedelta(days=3), "1 Mar 12:00:00"),
        (NOW - timedelta(days=400), "2025-01-28 12:00:00"),
    ],
)
def test_a_time_says_its_day_only_where_it_is_not_today(value: datetime, shown: str) -> None:
    assert f">{shown}</time>" in formatting.moment(value, NOW)


@override_settings(TIME_ZONE="Asia/Kolkata")
def test_a_time_stands_in_the_zone_of_the_project_and_is_whole_in_its_title() -> None:
    value = NOW.replace(microsecond=123456)
    shown = formatting.moment(value, NOW)
    assert 'title="2026-03-04 17:30:00.123456 IST"' in shown
    assert ">17:30:00</time>" in shown


def test_a_time_without_a_zone_is_shown_as_it_is() -> None:
    naive = NOW.replace(tzinfo=None)
    assert 'title="2026-03-04 12:00:00.000000"' in formatting.full_moment(naive)


def test_a_uuid_is_shown_by_its_beginning_and_a_long_id_is_cut() -> None:
    assert formatting.short_id("0b7d6a52-9a7e-4c06-8d52-4b2f3f0f5b7e") == "0b7d6a52"
    assert formatting.short_id("order-1") == "order-1"
    assert len(formatting.short_id("x" * 255)) == 24


@pytest.mark.parametrize(
    "render",
    [
        formatting.identifier,
        formatting.text,
        formatting.badge,
        formatting.plain,
        formatting.missing,
    ],
)
def test_every_text_is_escaped(render) -> None:
    shown = render("<script>alert('1')</script>\"")
    assert "<script" not in shown
    assert '"alert' not in shown


def test_json_is_indented_and_keeps_its_letters() -> None:
    assert formatting.pretty_json({"name": "Zoë"}) == '{\n  "name": "Zoë"\n}'


def test_a_long_text_is_cut_with_a_word_about_the_rest() -> None:
    shown = formatting.bounded("x" * (formatting.TEXT_LIMIT + 7))
    assert shown.endswith("\n… 7 more characters")
    assert len(shown) < formatting.TEXT_LIMIT + 30


def test_the_bar_splits_the_time_between_waiting_and_running() -> None:
    bar = formatting.pace_bar(1.0, 3.0)
    assert 'class="z4j-wait" width="25.00"' in bar
    assert 'class="z4j-run" x="25.00" width="75.00"' in bar
    assert formatting.pace_bar(None, None) == ""


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("state", states.ALL)
def test_the_text_of_every_badge_can_be_read_in_light_and_in_dark(state: str) -> None:
    name = state.lower()
    pattern = rf"--z4j-{name}-fg: (#\w{{6}}); --z4j-{name}-bg: (#\w{{6}});"
    pairs = re.findall(pattern, STYLES.read_text())
    assert len(pairs) == 3
    assert all(_contrast(*pair) >= 4.5 for pair in pairs)
