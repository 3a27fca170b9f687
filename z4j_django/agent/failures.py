"""Exceptions as text, without running any code of theirs that Celery has not run."""

from __future__ import annotations

import traceback
from typing import Any, Final

from z4j_django.agent.events import Failure
from z4j_django.values import SHORT

#: Characters of an exception's message.
MESSAGE: Final = 2_000
#: Characters of a traceback: its head and its tail.
TRACEBACK: Final = 16_000

_PLAIN: Final = (str, int, float, bool, type(None))


def describe(exception: Any, einfo: Any) -> Failure:
    """The failure of a task.

    Args:
        exception: What was raised.
        einfo: billiard's ``ExceptionInfo``; its traceback is text already.
    """
    found = getattr(einfo, "traceback", None)
    text = found if isinstance(found, str) else ""
    return Failure(
        type=_type_name(exception),
        message=summary(exception) or _last_line(text),
        traceback=text if len(text) <= TRACEBACK else _middle_cut(text),
    )


def describe_raised(exception: BaseException) -> Failure:
    """The failure of a task by an exception that Celery lets pass, and makes no text of."""
    name, message = _type_name(exception), summary(exception)
    frames = "".join(traceback.format_tb(exception.__traceback__))
    text = f"Traceback (most recent call last):\n{frames}{name}: {message}".removesuffix(": ")
    return Failure(name, message, text if len(text) <= TRACEBACK else _middle_cut(text))


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


def _type_name(exception: Any) -> str:
    kind = type(exception)
    wrapped = getattr(exception, "exc_cls_name", None)
    if kind.__name__ == "UnpickleableExceptionWrapper" and isinstance(wrapped, str):
        return wrapped[:SHORT]
    return str(kind.__qualname__)[:SHORT]


def _last_line(text: str) -> str:
    """What the traceback's last line says after the exception's name."""
    line = text[-MESSAGE:].rstrip().rpartition("\n")[2]
    return line.partition(": ")[2]


def _middle_cut(text: str) -> str:
    half = TRACEBACK // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n… {left_out:,} characters left out …\n{text[-half:]}"
