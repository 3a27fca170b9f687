"""Which failures have one cause: the fingerprint of a failure. Pure.

Failures of one task, by one type of exception, that came through the same functions of the
project's own code. Lines and directories change with every deployment, and have no say; nor has
the code of libraries. Where none of the project's own functions is in the traceback, the message
decides, without what differs from one failure to the next: numbers, ids and quoted text.

It is a hash, so it may be made of what is masked where it is shown.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Final

from z4j_django.agent import events, failures
from z4j_django.values import SHORT, digest

#: Characters of a traceback, from its end, that are looked at; functions that count; and characters
#: of a message.
_TRACEBACK: Final = 20_000
_FUNCTIONS: Final = 100
_MESSAGE: Final = 1_000

#: A frame, as Python writes it; that of a group of exceptions stands in a margin.
_FRAME: Final = re.compile(r'^[ |+]*File "([^"\n]+)", line \d+, in ([^\n]+)$', re.MULTILINE)
_PACKAGES: Final = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
_STANDARD: Final = re.compile(
    r"<|.*[/\\](?:lib(?:64)?[/\\]python\d[\d.]*t?|python\d+[/\\]lib|python\d+\.zip)[/\\]",
    re.IGNORECASE,
)
#: What differs between messages that say the same.
_VARIABLE: Final = re.compile(
    r"""(?<!\w)(?:'[^'\n]*'|"[^"\n]*"|`[^`\n]*`)"""
    r"|\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b"
    r"|\b0x[0-9a-f]+\b|\b(?=[a-z]*\d)[0-9a-f]{6,}\b"
    r"|\d+(?:[.,:]\d+)*",
    re.IGNORECASE,
)


def of(project: str, name: str, failure: events.Failure) -> int:
    """The fingerprint of a failure, a positive number of 63 bits.

    Args:
        project: Whose task.
        name: The task's name.
        failure: What was raised.
    """
    cause = tuple(_own_functions(failure.traceback, name)) or ("", _lasting(failure.message))
    return digest("error", project, name, failure.type[:SHORT], *cause)


def is_own(path: str, name: str) -> bool:
    """Whether a file in the traceback of a task of this name is the project's own."""
    return bool(_own_file(path[-SHORT:], name.partition(".")[0]))


def of_all_others(project: str) -> int:
    """The fingerprint of the group of all failures that have none of their own."""
    return digest("error", project)


def _own_functions(traceback: str, name: str) -> Iterator[str]:
    """The functions of the project's code that the exception came through, each once.

    So one that calls itself is one, however deep it was. Of chained exceptions the last one was
    raised.
    """
    raised = failures.CHAINED.split(traceback[-_TRACEBACK:])[-1]
    package = name.partition(".")[0]
    seen: set[str] = set()
    for path, function in _FRAME.findall(raised):
        file = _own_file(path[-SHORT:], package)
        found = f"{file}:{function[:SHORT]}"
        if file and found not in seen:
            seen.add(found)
            yield found
        if len(seen) == _FUNCTIONS:
            return


@functools.lru_cache(maxsize=4096)
def _own_file(path: str, package: str) -> str:
    """The name of a file of the project's; one that is installed is where the task is."""
    *_, inside = _PACKAGES.split(path)
    if inside != path:
        is_own = bool(package) and re.split(r"[/\\.]", inside)[0] == package
    else:
        is_own = _STANDARD.match(path) is None
    return re.split(r"[/\\]", path)[-1] if is_own else ""


def _lasting(message: str) -> str:
    return " ".join(_VARIABLE.sub("…", message[:_MESSAGE]).split())
