"""Values of unknown size and kind."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from typing import Any

import pytest

from z4j_django.agent import encoding


class Hostile:
    """Nothing of it may be called."""

    def _refuse(self, *args: object) -> Any:
        raise AssertionError("the value's own code ran")

    __repr__ = __str__ = __iter__ = __len__ = __getattr__ = __eq__ = _refuse  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class HostileDict(dict[str, Any]):
    """A mapping whose methods lie in wait."""

    def _refuse(self, *args: object) -> Any:
        raise AssertionError("the value's own code ran")

    __repr__ = __iter__ = items = values = keys = __len__ = _refuse  # type: ignore[assignment]


def shown(value: object) -> Any:
    return json.loads(bytes(encoding.encode_value(value)[0]))


@pytest.mark.parametrize(
    "value", [None, True, 1, -1.5, "ä", [], {}, {"a": [1, {"b": None}]}, [[1], "x"]]
)
def test_plain_data_is_whole(value: object) -> None:
    raw, whole = encoding.encode_value(value)
    assert whole
    assert json.loads(bytes(raw)) == value


def test_a_tuple_is_a_list() -> None:
    assert shown((1, (2,))) == [1, [2]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.date(2026, 11, 20), "2026-11-20"),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (2**70, "<an integer beyond 64 bits>"),
        (b"bytes", "<builtins.bytes>"),
        ({1: "x"}, {"1": "x"}),
        ("caf\udce9", "caf?"),
    ],
)
def test_what_json_does_not_know_is_shown_but_not_whole(value: object, expected: object) -> None:
    raw, whole = encoding.encode_value([value])
    assert not whole
    assert json.loads(bytes(raw)) == [expected]


def test_no_code_of_a_value_runs() -> None:
    value = {"object": Hostile(), "mapping": HostileDict(a=1)}
    assert shown(value) == {
        "object": "<tests.unit.test_encoding.Hostile>",
        "mapping": {"a": 1},
    }


def test_a_long_text_is_cut_and_its_length_told() -> None:
    raw, whole = encoding.encode_value(["x" * 2_000_000])
    assert not whole
    assert len(raw) < 2_000
    assert json.loads(bytes(raw))[0].endswith("… (2,000,000 characters)")


def test_a_long_list_is_cut_and_its_length_told() -> None:
    raw, whole = encoding.encode_value([0] * 100_000)
    assert not whole
    items = json.loads(bytes(raw))
    assert len(items) <= encoding.NODES
    assert items[-1] == "… (100,000 items)"


def test_a_lists_own_iterator_is_not_run() -> None:
    class Counting(list[int]):
        def __iter__(self) -> Any:
            raise AssertionError("the list's own iterator ran")

    assert shown(Counting([1, 2])) == [1, 2]


def test_a_value_that_contains_itself_ends() -> None:
    value: dict[str, Any] = {}
    value["again"] = value
    raw, whole = encoding.encode_value(value)
    assert not whole
    assert len(raw) < 10_000


def test_the_budget_holds_for_many_small_texts() -> None:
    raw, whole = encoding.encode_value([{"key" * 50: "y" * 500} for _ in range(1_000)])
    assert not whole
    assert len(raw) < 2 * encoding.CHARACTERS
