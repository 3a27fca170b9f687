"""Tracebacks in parts, as their pages show them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from z4j_django.admin import tracebacks
from z4j_django.admin.formatting import TEXT_LIMIT

CHAINED = """Traceback (most recent call last):
  File "/venv/lib/python3.13/site-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/usr/lib/python3.13/json/decoder.py", line 9, in decode
    raise ValueError
ValueError: no JSON
of two lines

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/shop/tasks.py", line 82, in pay
    raise Declined
shop.Declined: no
"""
GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "/app/shop/tasks.py", line 3, in pay
  |     raise ExceptionGroup("two", found)
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/venv/lib/python3.13/site-packages/stripe/api.py", line 7, in ask
    |     raise Declined
    | stripe.Declined: no
    +------------------------------------
"""


def kinds(traceback: str, name: str = "shop.pay") -> list[tuple[str, int]]:
    return [(one.kind, one.frames) for one in tracebacks.parts(traceback, name)]


def test_of_chained_exceptions_each_has_its_parts() -> None:
    assert kinds(CHAINED) == [("text", 0), ("library", 2), ("text", 0), ("own", 1), ("text", 0)]
    library = tracebacks.parts(CHAINED, "shop.pay")[1]
    assert library.folded == "2 frames of libraries"
    assert library.text.count("\n") == 3


def test_of_a_group_each_margin_is_seen_through() -> None:
    assert kinds(GROUP) == [("text", 0), ("own", 1), ("text", 0), ("library", 1), ("text", 0)]


def test_an_installed_package_is_the_projects_own_where_the_task_is_of_it() -> None:
    assert kinds(GROUP, "stripe.pay")[3] == ("own", 1)


@pytest.mark.parametrize("text", ["", "   \n ", "\n\n"])
def test_of_nothing_there_are_no_parts(text: str) -> None:
    assert tracebacks.parts(text, "shop.pay") == []


def test_what_is_too_long_is_cut() -> None:
    text = "x" * (TEXT_LIMIT + 7)
    assert len("".join(one.text for one in tracebacks.parts(text, ""))) < TEXT_LIMIT + 100


@given(st.lists(st.sampled_from([*CHAINED.splitlines(), *GROUP.splitlines(), "<script>", " |+ "])))
def test_no_line_is_lost_or_told_twice(lines: list[str]) -> None:
    shown = [
        line
        for one in tracebacks.parts("\n".join(lines), "shop.pay")
        for line in one.text.split("\n")
    ]
    assert [line for line in shown if line.strip()] == [line for line in lines if line.strip()]
