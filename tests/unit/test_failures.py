"""Exceptions as text."""

from __future__ import annotations

import sys

from billiard.einfo import ExceptionInfo

from z4j_django.agent import failures


class OddError(Exception):
    """Its text must not be asked for."""

    def __str__(self) -> str:
        raise AssertionError("the exception's own code ran")


def raised(error: Exception) -> ExceptionInfo:
    try:
        raise error
    except Exception:
        return ExceptionInfo(sys.exc_info())


def test_a_plain_exception_is_told_whole() -> None:
    error = ValueError("no such order", 7)
    failure = failures.describe(error, raised(error))
    assert (failure.type, failure.message) == ("ValueError", "no such order, 7")
    assert "raised(error)" not in failure.message
    assert failure.traceback.startswith("Traceback")


def test_no_code_of_an_exception_runs() -> None:
    assert failures.summary(OddError(object())) == ""


def test_without_plain_arguments_the_tracebacks_last_line_tells() -> None:
    error = KeyError(object)
    failure = failures.describe(error, raised(error))
    assert failure.message == "<class 'object'>"


def test_a_huge_message_is_cut() -> None:
    assert len(failures.summary(ValueError("x" * 10_000_000))) == failures.MESSAGE


def test_a_long_traceback_keeps_its_head_and_its_tail() -> None:
    class Info:
        traceback = "head" + "x" * 100_000 + "tail"

    text = failures.describe(ValueError("v"), Info()).traceback
    assert text.startswith("head")
    assert text.endswith("tail")
    assert len(text) < failures.TRACEBACK + 100


def test_an_exception_without_a_traceback_is_told() -> None:
    failure = failures.describe(ValueError("v"), None)
    assert (failure.type, failure.message, failure.traceback) == ("ValueError", "v", "")
