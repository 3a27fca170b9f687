from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import override_settings
from django.utils import translation

import z4j_django
from z4j_django import states
from z4j_django.admin import formatting

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
STYLES = Path(z4j_django.__file__).parent / "static" / "z4j_django" / "z4j.css"


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
    ("seconds", "shown"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (90 * 60, "90 min"),
        (2 * 3600, "2 h"),
        (47 * 3600, "47 h"),
        (48 * 3600, "2 d"),
    ],
)
def test_a_span_has_one_unit_of_which_there_are_two_at_least(seconds: float, shown: str) -> None:
    assert formatting.span(seconds) == shown
    assert f">{shown} ago</time>" in formatting.moment(NOW - timedelta(seconds=seconds), NOW)
    assert f">{shown}</time>" in formatting.elapsed(NOW - timedelta(seconds=seconds), NOW)


def test_what_lies_ahead_is_said_so() -> None:
    assert ">in 5 min</time>" in formatting.moment(NOW + timedelta(minutes=5), NOW)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(300, "in 5 min"), (1, "in 1 s"), (0.4, "now"), (0, "now"), (-9, "now")]
)
def test_what_is_due_next_is_never_ago(seconds: float, shown: str) -> None:
    assert f">{shown}</time>" in formatting.due(NOW + timedelta(seconds=seconds), NOW)


def test_a_length_of_time_is_one_word_in_whatever_language() -> None:
    assert formatting.duration(0.25) == "250 ms"
    with translation.override("ar"):
        assert (
            formatting.duration(0.25)
            == "\N{LEFT-TO-RIGHT ISOLATE}250 ms\N{POP DIRECTIONAL ISOLATE}"
        )


def test_after_a_month_a_time_is_a_date() -> None:
    shown = formatting.moment(NOW - timedelta(days=400), NOW)
    assert ">Jan. 28, 2025</time>" in shown
    assert "data-z4j-time" not in shown


@override_settings(TIME_ZONE="Asia/Kolkata")
def test_a_time_is_whole_in_the_zone_of_the_project_on_hover_and_for_readers() -> None:
    value = NOW.replace(microsecond=123456) - timedelta(minutes=12)
    whole = "2026-03-04 17:18:00.123456 IST"
    shown = formatting.moment(value, NOW)
    assert 'datetime="2026-03-04T17:18:00.123456+05:30"' in shown
    assert f'title="{whole}" aria-label="11 min ago, {whole}"' in shown


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
        formatting.name,
        formatting.text,
        formatting.badge,
        formatting.mark,
        formatting.plain,
        formatting.missing,
    ],
)
def test_every_text_is_escaped(render) -> None:
    shown = render("<script>alert('1')</script>\"")
    assert "<script" not in shown
    assert '"alert' not in shown


def test_a_short_id_says_and_copies_the_whole() -> None:
    whole = "0b7d6a52-9a7e-4c06-8d52-4b2f3f0f5b7e"
    assert formatting.identifier(whole) == (
        f'<bdi class="z4j-id" title="{whole}" data-z4j-copy="{whole}">0b7d6a52</bdi>'
    )


def test_a_name_keeps_its_end_however_long_it_is() -> None:
    shown = formatting.name("shop." + "x" * 600 + ".charge_card")
    assert "…" in shown
    assert shown.endswith(".charge_card</bdi></span>")
    assert len(shown.partition("<bdi")[2]) < 300


@pytest.mark.parametrize("render", [formatting.name, formatting.text, formatting.identifier])
def test_what_is_not_known_is_said_so(render) -> None:
    assert render("") == '<span class="z4j-quiet">-</span>'


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 %"),
        (0.0004, "<0.1 %"),
        (0.034, "3.4 %"),
        (2 / 120, "1.7 %"),
        (0.34, "34 %"),
        (1, "100 %"),
        (None, "-"),
    ],
)
def test_a_share_is_shown_as_exactly_as_it_is_read(value, shown) -> None:
    assert formatting.percent(value) == shown


def test_a_share_says_whether_it_is_more_than_before() -> None:
    assert "▲" in formatting.share(0.34, 0.02)
    assert 'aria-label="more: before: 2.0 %"' in formatting.share(0.34, 0.02)
    assert "▼" in formatting.share(0.02, 0.34)
    assert "▲" not in formatting.share(0.34, 0.33)
    assert "▲" not in formatting.share(0.004, 0.0)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0.0426, "43 ms"),
        (0.4567, "460 ms"),
        (1.96, "2.0 s"),
        (0.9949, "990 ms"),
        (0.9952, "1.0 s"),
        (59.6, "1 min"),
        (125, "2 min"),
        (8000, "2 h"),
    ],
)
def test_a_length_of_time_is_short_where_there_is_no_room(seconds, shown) -> None:
    assert formatting.short(seconds) == shown


def test_a_count_has_the_separators_of_the_language() -> None:
    assert formatting.count(1204) == "1,204"
    with translation.override("de"):
        assert formatting.count(1204) == "1.204"
        assert formatting.percent(0.034) == "3,4 %"


def test_no_separator_of_a_language_gets_into_a_picture() -> None:
    with translation.override("de"), override_settings(USE_THOUSAND_SEPARATOR=True):
        pictures = [
            formatting.slots(1, 4),
            formatting.slots(1200, 4000),
            formatting.progress(1, 3),
            formatting.sparkline([1.5, 0, 2000], "waiting"),
        ]
    for attribute in re.findall(r' (?:width|x|d|viewBox)="([^"]*)"', "".join(pictures)):
        assert "," not in attribute


def test_a_line_breaks_where_a_value_is_not_known() -> None:
    path = re.search(r' d="([^"]*)"', formatting.sparkline([0, None, 4, 2], "waiting"))[1]
    assert path == "M0 23M66.7 1L100 12"
    assert formatting.sparkline([None], "waiting") == ""


def test_a_line_says_nothing_of_what_lies_on_it() -> None:
    values = [0, 0, 0, 0, 4, 4, 4, None, 4, 4, 4]
    path = re.search(r' d="([^"]*)"', formatting.sparkline(values, "waiting"))[1]
    assert path == "M0 23L30 23L40 1L60 1M80 1L100 1"


def test_slots_are_drawn_one_by_one_up_to_eight() -> None:
    assert formatting.slots(1, 2).count("<rect") == 2
    assert formatting.slots(1, 2).count("z4j-used") == 1
    assert formatting.slots(10, 20).count("<rect") == 2
    assert formatting.slots(3, None) == '<span class="z4j-slots">3</span>'
    assert 'width="100.0"' in formatting.slots(30, 20)


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
    ink, ground = _token(f"{name}-fg"), _token(f"{name}-bg")
    assert all(_contrast(*pair) >= 4.5 for pair in zip(ink, ground, strict=True))


@pytest.mark.parametrize("token", ["ink", "quiet", "accent", "bad", "warn", "good"])
def test_the_text_of_a_page_can_be_read_in_light_and_in_dark(token: str) -> None:
    for place in ("ground", "raised"):
        pairs = zip(_token(token), _token(place), strict=True)
        assert all(_contrast(*pair) >= 4.5 for pair in pairs)


@pytest.mark.parametrize("outcome", ["finished", "failed", "retried", "revoked"])
def test_the_bars_of_a_chart_can_be_seen_in_light_and_in_dark(outcome: str) -> None:
    pairs = zip(_token(outcome), _token("ground"), strict=True)
    assert all(_contrast(*pair) >= 2.2 for pair in pairs)


def _token(name: str) -> tuple[str, str]:
    """A colour of ours, for light and for dark."""
    found = re.findall(
        rf"--z4j-{name}:[^;]*?light-dark\((#\w{{6}}), (#\w{{6}})\)", STYLES.read_text()
    )
    assert len(found) == 1
    return found[0]


def test_bars_are_as_high_as_their_values_and_what_is_small_is_seen() -> None:
    drawn = formatting.bars([0, 1, 1000, 500], ["<b>", "b", "c", "d"], '"all"', "failed")
    heights = [float(one) for one in re.findall(r'height="([\d.]+)"', drawn)]
    assert heights == [0.4, 1.0, 24.0, 12.0]
    assert drawn.count('class="z4j-none"') == 1
    assert "&lt;b&gt;" in drawn
    assert "z4j-of-failed" in drawn
    assert 'aria-label="&quot;all&quot;"' in drawn
    assert "style=" not in drawn
    assert "<rect" not in formatting.bars([], [], "nothing")
