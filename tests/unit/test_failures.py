"""Exceptions as text."""

from __future__ import annotations

import sys

import pytest
from billiard.einfo import ExceptionInfo
from celery.exceptions import Retry
from celery.utils.serialization import get_pickleable_exception

from z4j_django.agent import failures


class OddError(Exception):
    """Its text must not be asked for."""

    def __str__(self) -> str:
        raise AssertionError("the exception's own code ran")


class ValidationError(ValueError):
    """As pydantic's: no arguments, and several lines to say."""

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return "1 validation error for Order\nquantity\n  Input should be a valid integer"


class RefusedError(Exception):
    """Says something else than its arguments."""

    def __str__(self) -> str:
        return f"refused with {self.args[0]}"


class PairError(Exception):
    """Takes two arguments and keeps one, so that pickle can't make it again."""

    def __init__(self, sku: str, count: int) -> None:
        super().__init__(f"{sku}: {count}")


class QuotingError(Exception):
    """Quotes a traceback in what it says."""

    def __str__(self) -> str:
        return 'worker said:\nTraceback (most recent call last):\n  File "x"\nQuotingError: theirs'


def raised(error: BaseException, cause: BaseException | None = None) -> ExceptionInfo:
    try:
        if cause is None:
            raise error
        try:
            raise cause
        except BaseException:
            raise error from cause
    except BaseException:
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


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValidationError(), str(ValidationError())),
        (RefusedError(402), "refused with 402"),
        (
            FileNotFoundError(2, "No such file", "/srv/a.csv"),
            "[Errno 2] No such file: '/srv/a.csv'",
        ),
        (OSError("first\nsecond\n\nthird"), "first\nsecond\n\nthird"),
        (
            ExceptionGroup("three uploads failed", [ValueError("no\nroom"), RefusedError(7)]),
            "three uploads failed (2 sub-exceptions)",
        ),
        (QuotingError(), str(QuotingError())),
        (RefusedError(0), "refused with 0"),
        (KeyError("sku"), "sku"),
        (ValueError(), ""),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(
    "cause", [None, ValueError("earlier"), ExceptionGroup("earlier", [ValueError("v")])]
)
def test_an_exception_is_told_as_it_tells_itself(
    error: Exception, message: str, cause: Exception | None
) -> None:
    assert failures.describe(error, raised(error, cause)).message == message


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (RefusedError(503), "refused with 503"),
        (ConnectionError(111, "Connection refused"), "[Errno 111] Connection refused"),
        (ExceptionGroup("both", [ValueError("a"), ValueError("b")]), "both (2 sub-exceptions)"),
    ],
)
def test_the_cause_of_a_retry_is_not_told_in_the_words_of_the_retry(
    cause: Exception, message: str
) -> None:
    einfo = raised(Retry("try again", exc=cause, when=10), cause)
    assert "Retry" in einfo.traceback
    assert failures.describe(cause, einfo).message == message


def test_a_traceback_that_is_about_another_exception_says_nothing() -> None:
    einfo = raised(RefusedError(1), ValueError("earlier"))
    assert failures.describe(ValidationError(), einfo).message == ""
    assert failures.describe(ConnectionError("reset"), einfo).message == "reset"


def test_an_exception_that_pickle_does_not_take_is_told() -> None:
    error = get_pickleable_exception(PairError("sku", 7))
    failure = failures.describe(error, raised(error))
    assert (failure.type, failure.message) == ("PairError", "PairError('sku: 7')")


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
