"""Values of unknown size and kind."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import uuid
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


class HostileKind(type):
    """A class of classes that can be neither compared nor hashed."""

    def __eq__(cls, other: object) -> bool:
        raise AssertionError("the class's own code ran")

    __hash__ = None  # type: ignore[assignment]


class OfHostileKind(metaclass=HostileKind):
    """Nothing of its class may be called, either."""


class Text(str):
    """No plain text."""


def is_plain(value: Any, characters: int, nodes: int) -> bool:
    """What is plain data within a budget: the definition, one value at a time."""
    values = [value]
    for item in values:
        if type(item) in (list, tuple, dict):
            nodes -= 1 + len(item)
            if nodes < 0:
                return False
            values += item.values() if type(item) is dict else item
        if type(item) is dict:
            if any(type(key) is not str for key in item):
                return False
            characters -= sum(len(key) for key in item)
        elif type(item) is str:
            characters -= len(item)
        elif type(item) is int:
            if not -(2**63) <= item < 2**63:
                return False
        elif type(item) is float:
            if not math.isfinite(item):
                return False
        elif type(item) not in (list, tuple, bool, type(None)):
            return False
    return characters >= 0


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(min_value=-(2**63) - 1, max_value=2**63),
    st.sampled_from(["", "a", "text"]),
    st.sampled_from([b"a", Text("a"), decimal.Decimal(1)]),
)
names = st.one_of(st.sampled_from(["a", "b", "name"]), st.sampled_from([1, Text("a")]))


def containers(members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists of unlike members, and of like ones; rows, with one that differs now and then."""
    alike = st.lists(members, min_size=1, max_size=2).flatmap(
        lambda few: st.integers(1, 40).map(lambda count: few[:1] * count + few[1:])
    )
    mappings = st.dictionaries(names, members, max_size=3)
    rows = st.lists(mappings, min_size=1, max_size=2).flatmap(
        lambda few: st.integers(1, 40).map(lambda count: [few[0]] * count + few[1:])
    )
    return st.one_of(st.lists(members, max_size=20), alike, alike.map(tuple), mappings, rows)


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
        ({b"pin": "x", b"\xff": 1}, {"pin": "x", "\ufffd": 1}),
        ("caf\udce9", "caf?"),
        (float("nan"), "<NaN>"),
        (float("inf"), "<Infinity>"),
        ({"rate": float("-inf")}, {"rate": "<-Infinity>"}),
    ],
)
def test_what_json_does_not_know_is_shown_but_not_whole(value: object, expected: object) -> None:
    raw, whole = encoding.encode_value([value])
    assert not whole
    assert json.loads(bytes(raw)) == [expected]


def test_a_number_that_is_not_finite_is_not_nothing() -> None:
    assert shown(float("nan")) == "<NaN>"
    rates = [0.5] * encoding.MANY
    assert shown([*rates, float("inf")]) == [*rates, "<Infinity>"]
    assert shown([{"a": 1, "rate": float("nan")}] * 100)[99] == {"a": 1, "rate": "<NaN>"}
    assert encoding.encode_value([1.5e308] * 100)[1]  # together they are infinite


def test_no_code_of_a_value_runs() -> None:
    value = {"object": Hostile(), "mapping": HostileDict(a=1)}
    assert shown(value) == {
        "object": "<tests.unit.test_encoding.Hostile>",
        "mapping": {"a": 1},
    }


def test_no_code_of_a_values_class_runs() -> None:
    shown_as = "<tests.unit.test_encoding.OfHostileKind>"
    assert shown({"one": OfHostileKind()}) == {"one": shown_as}
    assert shown({OfHostileKind(): 1}) == {shown_as: 1}
    assert shown([OfHostileKind()] * encoding.MANY) == [shown_as] * encoding.MANY


@given(
    value=st.recursive(leaves, containers, max_leaves=20),
    characters=st.integers(0, 200),
    nodes=st.integers(0, 200),
)
def test_many_values_at_once_are_judged_as_one_by_one(
    value: Any, characters: int, nodes: int
) -> None:
    with mock.patch.object(encoding, "NODES", nodes):
        raw, left_out = encoding.encode_members({"value": value}, characters + len("value"))

    whole = is_plain({"value": value}, characters + len("value"), nodes)
    alone = is_plain(value, characters, nodes)  # the mapping around it is one node more
    assert (not left_out) == (whole or alone)
    assert not whole or bytes(raw) == encoding.msgspec.json.encode({"value": value})


def test_rows_within_the_budget_are_whole() -> None:
    rows = [{"id": n, "name": f"n{n}", "price": n / 2, "tags": ["a", "b"]} for n in range(200)]
    raw, whole = encoding.encode_value({"rows": rows})
    assert whole
    assert json.loads(bytes(raw)) == {"rows": rows}


@pytest.mark.parametrize(
    "odd", [2**63, -(2**63) - 1, b"", Text("x"), {1: 2}, {Text("a"): 1}, float("nan")]
)
def test_one_odd_value_among_many_is_seen(odd: object) -> None:
    assert encoding.encode_value([odd] * 100)[1] is False
    assert encoding.encode_value([{"a": 1, "b": odd}] * 100)[1] is False
    assert encoding.encode_value([[odd]] * 100)[1] is False


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
