"""Texts as any database takes them."""

from __future__ import annotations

import pytest

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


def test_an_identifier_that_is_too_long_keeps_its_difference() -> None:
    first, second = (values.identifier("\ud800" * 300 + end) for end in "ab")
    assert first != second
    assert len(first) == len(second) == values.SHORT
    assert first.encode()
