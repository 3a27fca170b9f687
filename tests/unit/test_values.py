"""Texts as any database takes them."""

from __future__ import annotations

import pytest
from django.template.defaultfilters import filesizeformat

from z4j_django import values


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a\0b", "a�b"),
        ("é\0", "é�"),
        ("a\ud800b\udfff", "a�b�"),
        ("\U0001f600", "\U0001f600"),
        ("x" * 300, "x" * 255),
    ],
)
def test_what_no_database_takes_is_replaced(text: str, stored: str) -> None:
    assert values.clean(text) == stored


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1969-07-20T20:17:40+00:00", -14182940.0),
        ("2150-01-01T00:00:00.5+00:00", 5680281600.5),
        ("1000-01-02T00:00:00", -30610137600.0),
        ("9999-12-31T01:00:00+01:00", 253402214400.0),
        # No database takes them all, or no zone can show them.
        ("1000-01-01T23:59:59", None),
        ("9999-12-31T00:00:01", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("never", None),
    ],
)
def test_a_time_is_the_moment_or_nothing(text: str, moment: float | None) -> None:
    assert values.iso_time(text) == moment


@pytest.mark.parametrize("at", [-1e300, -1.0, 0.0, 1.5, 5e9, 1e300])
def test_a_place_in_the_orders_has_its_bits(at: float) -> None:
    assert 0 <= values.microseconds(at) < 2**values.TIME_BITS


def test_an_identifier_that_is_too_long_keeps_its_difference() -> None:
    first, second = (values.identifier("\ud800" * 300 + end) for end in "ab")
    assert first != second
    assert len(first) == len(second) == values.SHORT
    assert first.encode()


@pytest.mark.parametrize("count", [0, 1, 12, 1023, 1024, 600_000, 3 * 1024**2, 5 * 1024**5 // 4096])
def test_a_size_is_what_the_admin_shows(count: int) -> None:
    assert values.size(count) == filesizeformat(count).replace("\xa0", " ")
