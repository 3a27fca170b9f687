"""Reprs of arguments that a publisher chose are told from those that Celery writes."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import uuid
from typing import Any

import celery
import pytest
from celery.utils.saferepr import saferepr
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu.utils import json as kombu_json

from bench.capture import ROWS
from tests.unit.test_encoding import Hostile, Text
from z4j_django.agent import chosen_reprs
from z4j_django.agent.encoding import encode_value

APP = celery.Celery("chosen", set_as_current=False)


class Colour(enum.Enum):
    """Has a repr of its own."""

    RED = "red"


class Order:
    """An argument for pickle."""

    def __repr__(self) -> str:
        return "<Order: 7>"


def is_chosen(shown: str, value: Any) -> bool:
    encoded, whole = encode_value(value)
    return chosen_reprs.is_chosen(shown, value, encoded if whole else None, APP)


def written(value: Any) -> str:
    return str(saferepr(value, 1024))


DUE = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.UTC)
COMPUTED = [
    *((1,), (1, "a"), ("it's", 'a "b" \\ c'), ("a\nb\tc\x00", "é 🛒"), (None, True, 1.5, [1])),
    *((((1,), [2, (3,)]),), ([],), ({},), ({"a": {"b": {"c": {"d": [1]}}}},), ("null", None)),
    *(("x" * 5_000,), ("x" * 5_000, 1), (1, "x" * 1_010, [2]), (ROWS,), ([0.5] * 3_000,)),
    *((["…" * 400, "y" * 900],), ([[[[[1]]]]] * 500,), (Text("a"), decimal.Decimal("1.50"))),
    *((DUE, DUE.date(), DUE.time(), DUE - DUE), (uuid.UUID(int=7), b"bytes", 2**70, {1: "x"})),
    *(({1, 2, 3}, Colour.RED, "b"), (Order(), "x" * 5_000), ({"order": Order(), "n": 1},)),
    *((1e300, 1e-7, float("nan"), -0.0), ("a...", "b" * 2_000, "...")),
]


@pytest.mark.parametrize("value", COMPUTED, ids=range(len(COMPUTED)))
def test_what_celery_writes_is_not_chosen(value: tuple[Any, ...]) -> None:
    assert not is_chosen(written(value), value)
    kwargs = {f"name {index}": item for index, item in enumerate(value)}
    assert not is_chosen(written(kwargs), kwargs)


@settings(max_examples=25)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.uuids(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=50,
    )
)
def test_a_worker_knows_it_too(value: Any) -> None:
    args = (value,)
    came = kombu_json.loads(kombu_json.dumps(args))
    assert not is_chosen(written(args), came)


@pytest.mark.parametrize(
    ("shown", "value"),
    [
        ("(<secret-x>, <secret-y>)", (2, 3)),
        ("{'card': '**** **** **** 5678'}", {"card": "1234567812345678"}),
        ("('<secret>',)", ("secret",)),
        ("('bob', '***')", ("bob", "hunter2")),
        ("('bob', ...)", ("bob", "hunter2")),
        ("***", ("hunter2",)),
        (".", ("hunter2",)),
        ("." * 1_020, ("hunter2", "x" * 5_000)),
        (f"('{'x' * 1_010}', '***')", ("x" * 1_010, "hunter2")),
        ("(<Order: 7>, '***')", (Order(), "hunter2")),
        ("({'order': <Order: 7>, 'pin': '*'},)", ({"order": Order(), "pin": "1"},)),
        ("(Decimal('*'),)", (decimal.Decimal("1.50"),)),
    ],
)
def test_anything_else_is(shown: str, value: Any) -> None:
    assert is_chosen(shown, value)
    assert is_chosen(shown, json.loads(json.dumps(value, default=str))) or "Order" in shown


def test_no_code_of_a_value_runs() -> None:
    value = (Hostile(), [{"a": Hostile()}], 1)
    assert not is_chosen("(<Hostile>, [{'a': <Hostile>}], 1)", value)
    assert is_chosen("(<Hostile>, [{'a': <Hostile>}], 2)", value)


def test_a_value_that_contains_itself_ends() -> None:
    value: list[Any] = [1]
    value.append(value)
    assert is_chosen("[***]", value)
