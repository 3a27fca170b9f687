"""Which trace a message belongs to: its header ``traceparent``, as W3C Trace Context has it.

A tracer puts it there, or whoever publishes. It is read as strictly as the standard wants it, and
never written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

HEADER: Final = "traceparent"
#: Where headers are in protocol 1, and where some tracers put theirs.
_INNER: Final = "headers"
#: Version, trace, span and flags. An id of nothing but zeros is none, and neither is version ff.
_FORM: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}"
)
_LENGTH: Final = 55


def header(get: Callable[[str], Any]) -> str:
    """The header of a message, bounded; empty where it has none, or one that is not valid.

    Args:
        get: Reads a header by its name.
    """
    value = get(HEADER)
    if value is None and type(inner := get(_INNER)) is dict:
        value = inner.get(HEADER)
    return "" if value is None else _valid(value)


def may_have(headers: dict[str, Any]) -> bool:
    """Whether a look for it is worth while: a message of no trace costs nothing more."""
    return HEADER in headers or _INNER in headers


def ids(header: str) -> tuple[str, str]:
    """The trace and the span that a header names; both empty where it is not valid."""
    match = _FORM.fullmatch(header)
    return (match[1], match[2]) if match else ("", "")


def _valid(value: Any) -> str:
    if type(value) is not str or not (match := _FORM.match(value)):
        return ""
    # A later version than the first may go on after its flags.
    is_whole = len(value) == _LENGTH or (value[:2] != "00" and value[_LENGTH] == "-")
    return match[0] if is_whole else ""
