"""What a step of the diagnosis says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from z4j_django.agent import inspection
from z4j_django.secrets.masking import mask_text

Level = Literal["ok", "warning", "error"]

#: Characters of an error that are shown.
_ERROR_LENGTH: Final = 400


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        level: ``ok``, ``warning`` or ``error``.
        what: What was found, in words.
        remedy: What to do about it; empty where nothing has to be done.
    """

    level: Level
    what: str
    remedy: str = ""


@dataclass
class Visit:
    """What the steps so far have found out, for those that follow.

    Attributes:
        timeout: Seconds that any one thing may take.
        probe: Whether a task may be sent.
        app: The project's Celery app, once found.
        broker: Whether the broker was reached.
        database: Whether the tables can be read.
        directory: The journal's, once it is known to be usable.
        view: What lies in it.
        log: What the agent and the discovery said meanwhile.
    """

    timeout: float
    probe: bool = True
    app: Any = None
    broker: bool = False
    database: bool = False
    directory: Path | None = None
    view: inspection.View | None = None
    log: list[str] = field(default_factory=list)


def ok(what: str) -> Finding:
    """All is well."""
    return Finding("ok", what)


def warning(what: str, remedy: str) -> Finding:
    """Something to look at."""
    return Finding("warning", what, remedy)


def error(what: str, remedy: str) -> Finding:
    """Something that keeps tasks from their records."""
    return Finding("error", what, remedy)


def reason(problem: BaseException) -> str:
    """An exception on one line, its secrets masked."""
    text = " ".join(str(problem).split())[:_ERROR_LENGTH]
    return mask_text(f"{type(problem).__name__}: {text}" if text else type(problem).__name__)
