"""The tasks' own account of what ran: one line when a task starts, one when it ends.

It knows nothing of ``z4j_django``: the demo holds the records against it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

START = "start"


@dataclass(frozen=True)
class History:
    """All that the ledger says of one task."""

    name: str
    #: How often it started.
    starts: int
    #: How each run that reached its end ended, in order.
    outcomes: tuple[str, ...]
    #: The greatest number of retries that a run began with.
    retries: int
    #: Whether the newest line is a start: the run was cut short, or is still at it.
    open: bool


def start(task_id: str, name: str, retries: int) -> None:
    """Notes that a run begins."""
    _append({"id": task_id, "name": name, "retries": retries, "what": START})


def end(task_id: str, name: str, retries: int, outcome: str) -> None:
    """Notes how a run ended, in the words of Celery's states."""
    _append({"id": task_id, "name": name, "retries": retries, "what": outcome})


def read(directory: Path) -> dict[str, History]:
    """The history of each task in ``directory``, by task id."""
    texts = (path.read_text() for path in sorted(directory.glob("*.ndjson")))
    return histories(line for text in texts for line in text.splitlines(keepends=True))


def histories(lines: Iterable[str]) -> dict[str, History]:
    """The history of each task, by task id; a line that was cut short is left out."""
    entries: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        if line.endswith("\n"):
            entry = json.loads(line)
            entries.setdefault(entry["id"], []).append(entry)
    return {task_id: _history(of_task) for task_id, of_task in entries.items()}


def _history(entries: list[Mapping[str, Any]]) -> History:
    entries = sorted(entries, key=lambda entry: entry["at"])
    starts = [entry for entry in entries if entry["what"] == START]
    return History(
        name=entries[0]["name"],
        starts=len(starts),
        outcomes=tuple(entry["what"] for entry in entries if entry["what"] != START),
        retries=max(entry["retries"] for entry in entries),
        open=entries[-1]["what"] == START,
    )


def _append(entry: dict[str, Any]) -> None:
    directory = Path(settings.LEDGER_DIR)
    directory.mkdir(parents=True, exist_ok=True)
    line = json.dumps({**entry, "at": time.time()}) + "\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    descriptor = os.open(directory / f"{os.getpid()}.ndjson", flags, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
