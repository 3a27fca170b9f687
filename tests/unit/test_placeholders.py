"""What the record shows in the place of a value: it is found wherever it stands."""

from __future__ import annotations

from typing import Any

import pytest

from z4j_django.secrets import placeholders
from z4j_django.secrets.masking import MASK


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (MASK, "the top"),
        ([1, f"card {MASK}"], "[1]"),
        ({"user": {"cards": [{"number": MASK}]}}, "user.cards[0].number"),
        ({"text": "a long text… (5,000 characters)"}, "text"),
        (["…"], "[0]"),
        (["<shop.models.Order>"], "[0]"),
        (["<an integer beyond 64 bits>"], "[0]"),
        ({"inner": {"x" * 201 + "…": 1}}, "inner"),
        ({MASK: 1}, "the top"),
    ],
)
def test_it_is_found_where_it_stands(value: Any, place: str) -> None:
    assert placeholders.place_of(value) == place


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 1.5, "", "and so on…", "a <b> c", "<shop>", "(5 characters)", "• •"),
        {"number": "4242", "list": [1, [2, {"deep": None}]], "short…": 1},
    ],
)
def test_a_real_value_is_none(value: Any) -> None:
    assert placeholders.place_of(value) == ""
