"""One reader of JSON: what it takes, and in which words it refuses the rest."""

from __future__ import annotations

from typing import Any

import pytest

from z4j_django import json_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, true, null, "é"]}', {"a": [1, 2.5, True, None, "é"]}),
        (b'"\xc3\xa9"', "é"),
        ("[" * json_text.DEPTH_LIMIT + "]" * json_text.DEPTH_LIMIT, None),
    ],
)
def test_json_is_read_as_it_stands(text: Any, value: Any) -> None:
    found = json_text.read(text)
    assert value is None or found == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1", "it is no JSON: Expecting ',' delimiter, line 1, column 3"),
        ("", "it is no JSON: "),
        (b"\xff", "it is no JSON: "),
        ("[NaN]", "there is no NaN in JSON"),
        ("[-Infinity]", "there is no -Infinity in JSON"),
        ("1e999", "a number in it is too great"),
        ('{"a": 1, "a": 2}', "an object in it has the same key twice"),
        ("[" * 33 + "]" * 33, "it is nested too deeply"),
        ("[" * 100_000, "it is nested too deeply"),
        ("9" * 5_000, "it is no JSON: "),
        ('"\\u0000"', "a text in it has a NUL character"),
        ('{"\\ud800": 1}', "a text in it has a NUL character or half a surrogate pair"),
    ],
)
def test_what_is_none_is_told_in_words(text: Any, words: str) -> None:
    with pytest.raises(json_text.JSONTextError) as told:
        json_text.read(text)
    assert str(told.value).startswith(words)


def test_plain_values_are_copied_and_tuples_become_lists() -> None:
    value = {"a": (1, [True, None])}
    assert json_text.plain(value) == {"a": [1, [True, None]]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "it is no plain JSON"),
        ([float("inf")], "it is no plain JSON"),
        ({1: 2}, "an object in it has a key that is no text"),
        ([{"a": {None: 1}}], "an object in it has a key that is no text"),
        ([object()], "it is no plain JSON"),
        (["a\0"], "a text in it has a NUL character"),
    ],
)
def test_values_that_are_not_plain_are_refused(value: Any, words: str) -> None:
    with pytest.raises(json_text.JSONTextError, match=words):
        json_text.plain(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(json_text.JSONTextError, match="nested too deeply"):
        json_text.plain(endless)
