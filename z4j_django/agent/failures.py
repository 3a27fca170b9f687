"""Exceptions as text, without running any code of theirs that Celery has not run."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from typing import Any, Final

from z4j_django.agent.events import Failure
from z4j_django.values import SHORT

#: Characters of an exception's message.
MESSAGE: Final = 2_000
#: Characters of a traceback: its head and its tail.
TRACEBACK: Final = 16_000

_PLAIN: Final = (str, int, float, bool, type(None))
#: How an exception tells itself that says its arguments and no more.
_BY_ARGUMENTS: Final[tuple[Any, ...]] = (BaseException.__str__, KeyError.__str__)

#: What stands in a traceback between an exception and the one that came of it.
CHAINED: Final = re.compile(
    r"\n(?:The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred):\n\n"
)
#: The frames of one exception, and what it says behind them; that of a group stands in a margin.
_SAID: Final = re.compile(
    r"(?:Traceback \(most recent call last\):\n(?:  [^\n]*\n)*+)?+"
    r"(?P<name>[\w.<>]++)(?:: (?P<text>.*)|\n|\Z)"
    r"|  \+ Exception Group Traceback \(most recent call last\):\n(?:  \|   [^\n]*\n)*+"
    r"  \| (?P<group>[\w.<>]++): (?P<lines>[^\n]*(?:\n  \| [^\n]*)*+)",
    re.DOTALL,
)


def describe(exception: Any, einfo: Any) -> Failure:
    """The failure of a task.

    Args:
        exception: What was raised.
        einfo: billiard's ``ExceptionInfo``; its traceback is text already.
    """
    found = getattr(einfo, "traceback", None)
    text = found if isinstance(found, str) else ""
    name = _type_name(exception)
    told_by_arguments = type(exception).__str__ in _BY_ARGUMENTS
    message = summary(exception) if told_by_arguments else ""
    return Failure(
        type=name,
        message=message or said(text, name, type(exception).__qualname__) or summary(exception),
        traceback=middle_cut(text, TRACEBACK),
    )


def describe_raised(exception: BaseException) -> Failure:
    """The failure of a task by an exception that Celery lets pass, and makes no text of."""
    name, message = _type_name(exception), summary(exception)
    frames = "".join(traceback.format_tb(exception.__traceback__))
    text = f"Traceback (most recent call last):\n{frames}{name}: {message}".removesuffix(": ")
    return Failure(name, message, middle_cut(text, TRACEBACK))


def summary(exception: Any) -> str:
    """The message of an exception whose arguments are plain, or nothing.

    ``str()`` of any other exception may run code that queries a database or never ends.
    """
    arguments = getattr(exception, "args", ())
    if type(arguments) is not tuple or not all(type(item) in _PLAIN for item in arguments):
        return ""
    if any(type(item) is int and item.bit_length() > 64 for item in arguments):
        return ""
    texts = (item[:MESSAGE] if isinstance(item, str) else str(item) for item in arguments[:8])
    return ", ".join(texts)[:MESSAGE]


def said(traceback: str, *names: str) -> str:
    """What an exception of one of these names says in a traceback, bounded.

    Formatting the traceback, Celery has asked the exception for it. That of a retry ends with
    the retry, and its cause comes before.
    """
    ends = tuple(f".{name}" for name in names)
    return next((text for name, text in heads(traceback) if f".{name}".endswith(ends)), "")


def heads(traceback: str) -> Iterator[tuple[str, str]]:
    """The qualified name of each exception of a traceback and what it says, the last one first."""
    for part in reversed(CHAINED.split(traceback)):
        if found := _SAID.match(part):
            text = found["text"] or (found["lines"] or "").replace("\n  | ", "\n")
            yield found["name"] or found["group"], text[:MESSAGE].removesuffix("\n")


def _type_name(exception: Any) -> str:
    kind = type(exception)
    wrapped = getattr(exception, "exc_cls_name", None)
    if kind.__name__ == "UnpickleableExceptionWrapper" and isinstance(wrapped, str):
        return wrapped[:SHORT]
    return str(kind.__qualname__)[:SHORT]


def middle_cut(text: str, limit: int) -> str:
    """A text as it is, or where it is longer its head and its tail."""
    if len(text) <= limit:
        return text
    half = limit // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n… {left_out:,} characters left out …\n{text[-half:]}"
