"""Values inside arguments: the same are found on whichever database the tests run."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from django.db import connection

from tests.integration.test_filters import found, keep
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (42, ["42", "42.0", "4.2e1"]),
        ("42", ["42", '"42"']),
        (42.0, ["42", "42.0"]),
        (0.1, ["0.1", "1e-1", "0.10"]),
        (0.30000000000000004, ["0.30000000000000004"]),
        (1e22, ["1e22", "1e+22", "10000000000000000000000.0"]),
        (2**63 - 1, [str(2**63 - 1)]),
        (-(2**63), [str(-(2**63))]),
        (str(2**64), [str(2**64)]),
        (True, ["true"]),
        ("true", ["true", '"true"']),
        (None, ["null"]),
        ("null", ["null", '"null"']),
        ("", ['""']),
        ("00042", ["00042"]),
        ("a b,c", ['"a b,c"']),
        ('say "é" 🛒\\', ['"say \\"é\\" 🛒\\\\"']),
        ("💥' OR 1=1 --", ['"💥\' OR 1=1 --"']),
    ],
)
@pytest.mark.parametrize("path", ["args.0", "kwargs.x", "kwargs.a.1.b"])
def test_a_value_is_found_as_what_it_is(value: Any, texts: list[str], path: str) -> None:
    others = [42, "42", 43, 0.1, 0.2, 1e22, 2**63 - 1, 2**63 - 2, True, "true", None, "null"]
    others += [False, "false", "", " ", [value], {"x": value}, "00042", 2**53, float(2**53)]
    documents = {
        "args.0": lambda one: {"args": [one, "beside"]},
        "kwargs.x": lambda one: {"kwargs": {"x": one, "y": "beside"}},
        "kwargs.a.1.b": lambda one: {"kwargs": {"a": ["beside", {"b": one}]}},
    }[path]
    for number, one in enumerate([*others, value]):
        keep({f"t{number}": documents(one)})
    keep({"none": {}, "empty": {"args": [], "kwargs": {}}, "wrong": {"args": 1, "kwargs": [1]}})
    for text in texts:
        asked = filters.parse(f"{path}:{text}")
        expected = {
            f"t{number}" for number, one in enumerate([*others, value]) if _is_meant(one, text)
        }
        assert set(found(asked)) == expected
        assert f"t{len(others)}" in expected
        everything = TaskRecord.objects.values_list("task_id", flat=True)
        assert set(found(f"-{path}:{text}")) == set(everything) - expected


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("user__contains", {"user__contains": 1}),
        ("user__isnull", {"user__isnull": 1}),
        ("0", {"0": 1}),
        ('a."0"', {"a": {"0": 1}}),
        ("a.0", {"a": [1]}),
        ('a."x.y"', {"a": {"x.y": 1}}),
        ('"x:y"', {"x:y": 1}),
        ('"a b"', {"a b": 1}),
        ('"q\\"\\\\"', {'q"\\': 1}),
        ("größe", {"größe": 1}),
        ("🛒.é", {"🛒": {"é": 1}}),
        ("$", {"$": 1}),
        ("*", {"*": 1}),
        ("a[0]", {"a[0]": 1}),
        ("%s", {"%s": 1}),
        ("-1", {"-1": 1}),
        ('""', {"": 1}),
        ("'; DROP", {"'; DROP": 1}),
    ],
)
@pytest.mark.parametrize("escaped", [True, False])
def test_a_key_is_a_key_whatever_it_looks_like(path: str, document: Any, escaped: bool) -> None:
    if path == "-1" and connection.vendor == "mysql":
        pytest.skip("MariaDB finds no key that begins with a hyphen")
    keep({"it": {"kwargs": document}, "other": {"kwargs": {"a": [[1]], "user": 1, "1": 1}}})
    if not escaped:
        _rewrite(document)
    asked = filters.term(f"kwargs.{path}", "1")
    assert found(asked) == ["it"]
    assert filters.parse(str(asked), now=asked.now) == asked


def _rewrite(document: Any) -> None:
    """As the sink writes it: in UTF-8, without escapes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE z4j_django_taskrecord SET kwargs = %s WHERE task_id = 'it'",
            [msgspec.json.encode(document).decode()],
        )


def _is_meant(value: Any, text: str) -> bool:
    plain = text[1:-1].replace('\\"', '"').replace("\\\\", "\\") if text[0] == '"' else text
    if isinstance(value, str):
        return value == plain
    if text[0] == '"' or isinstance(value, list | dict):
        return False
    if value is None or isinstance(value, bool):
        return {"null": None, "true": True, "false": False}.get(text, "no") is value
    try:
        number = int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    except ValueError:
        return False
    return text.lstrip("-")[:2] != "00" and value == number
