"""Arguments that somebody changed: what was not touched is what it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu.utils import json as kombu_json

from z4j_django.exceptions import OperationError
from z4j_django.operations import edited

NAN = float("nan")


def mark(kind: str, value: Any) -> dict[str, Any]:
    return {"__type__": kind, "__value__": value}


ONE, TWO, THREE = (mark("decimal", f"{n}.50") for n in (1, 2, 3))
DUE = mark("datetime", "2026-11-28T12:00:00+00:00")
ID = mark("uuid", {"hex": "0" * 31 + "7"})
ID_SHOWN = "00000000-0000-0000-0000-000000000007"


@pytest.mark.parametrize(
    ("original", "given", "sent"),
    [
        ([ONE, 1], ["1.50", 2], [ONE, 2]),
        ([ONE, 1], ["1.5", 1], ["1.5", 1]),
        ([DUE, ID], ["2026-11-28T12:00:00+00:00", ID_SHOWN], [DUE, ID]),
        ([mark("date", "2026-11-28"), 1], ["2026-11-28", 2], [mark("date", "2026-11-28"), 2]),
        ([mark("time", "12:00:00"), 1], ["12:00:00", 2], [mark("time", "12:00:00"), 2]),
        # Of a list whose items came, went, or moved.
        ([ONE, TWO, THREE], ["2.50", "3.50"], [TWO, THREE]),
        (
            [ONE, TWO, THREE],
            ["0", "1.50", "2.50", 7, "3.50", "4.50"],
            ["0", ONE, TWO, 7, THREE, "4.50"],
        ),
        ([ONE, TWO, THREE], ["2.50", "3.50", "4.50"], [TWO, THREE, "4.50"]),
        (
            [{"id": 1, "price": ONE}, {"id": 2, "price": TWO}],
            [
                {"id": 9, "price": "9"},
                {"id": 1, "price": "1.50"},
                {"id": 2, "price": "2.50", "n": 1},
            ],
            [{"id": 9, "price": "9"}, {"id": 1, "price": ONE}, {"id": 2, "price": TWO, "n": 1}],
        ),
        ([[ONE, 1], [TWO, 2]], [[7], ["2.50", 3]], [[7], [TWO, 3]]),
        # Of a mapping.
        ({"a": ONE, "b": 1}, {"a": "1.50", "c": 2}, {"a": ONE, "c": 2}),
        ({"a": {"b": [ONE, {"c": DUE}]}}, {"a": {"b": ["1.50", {}]}}, {"a": {"b": [ONE, {}]}}),
        # What was given with its type is taken with it; and a text, for a text.
        ([ONE, 1], [mark("decimal", "7"), 1], [mark("decimal", "7"), 1]),
        (["1.50", 1], [mark("decimal", "1.50"), 1], [mark("decimal", "1.50"), 1]),
        (["<NaN>", 1], ["<NaN>", 2], ["<NaN>", 2]),
        # One is not true, and not 1.0.
        ([1, ONE], [True, "1.50"], [True, ONE]),
        ([1, ONE], [1.0, "1.50"], [1.0, ONE]),
        ([NAN, float("inf"), 1], ["<NaN>", "<Infinity>", 2], [NAN, float("inf"), 2]),
        # What kombu's JSON would not make is a mapping like any other.
        ([mark("decimal", "x"), 1], [mark("decimal", "x"), 2], [mark("decimal", "x"), 2]),
        ([mark("mine", ONE), 1], [mark("mine", "1.50"), 2], [mark("mine", ONE), 2]),
        ([mark([], 1), 1], [mark([], 1), 2], [mark([], 1), 2]),
    ],
)
def test_what_was_not_changed_is_what_it_was(original: Any, given: Any, sent: Any) -> None:
    assert repr(edited.joined(given, original)) == repr(sent)


@pytest.mark.parametrize("word", ["<NaN>", "<Infinity>", "<-Infinity>"])
def test_a_word_for_a_number_is_no_value_elsewhere(word: str) -> None:
    for changed, place in (
        ({"a": word}, "a"),
        ({"n": [1, {"b": word}]}, r"n\[1\]\.b"),
        ({"n": [word]}, r"n\[0\]"),
    ):
        with pytest.raises(OperationError, match=f"at {place} is the record's word"):
            edited.joined(changed, {"n": NAN, "b": NAN})


def test_a_list_without_end_is_joined_at_its_places() -> None:
    original = [ONE, *range(5_000), TWO, *range(5_000), THREE]
    given = ["1.50", *range(1, 5_001), "2.50", *range(1, 5_001), "3.50"]
    sent = edited.joined(given, original)
    assert (sent[0], sent[5_001], sent[-1]) == (ONE, TWO, THREE)


@settings(max_examples=25)
@given(
    st.lists(
        st.recursive(
            st.one_of(
                st.none(), st.integers(-9, 9), st.floats(), st.uuids(), st.datetimes(),
                st.decimals(), st.text(max_size=3),
            ),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
            max_leaves=20,
        )
    )
)  # fmt: skip
def test_an_edit_of_one_argument_changes_no_other(args: list[Any]) -> None:
    original = json.loads(kombu_json.dumps(args))
    shown = edited._shown(original)
    assert repr(edited.joined(["new", *shown], original)) == repr(["new", *original])
    assert repr(edited.joined([*shown, "new"], original)) == repr([*original, "new"])
