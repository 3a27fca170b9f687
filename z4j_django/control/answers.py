"""What workers answer, read without trust: a project may have commands of its own. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

#: A line of what a worker has registered: its name, and what was asked of it.
_REGISTERED: Final = re.compile(r"(?P<name>.+?)(?: \[(?P<info>[^\]]*)\])?")
#: What is told of a task, in Celery's order.
LIMITS: Final = ("rate_limit", "time_limit", "soft_time_limit")


def reply_of(told: Any) -> str:
    """What a worker says that it did, or why not, as text."""
    if not isinstance(told, dict):
        return ""
    return str(told.get("error") or told.get("ok") or "")


def error_of(told: Any) -> str:
    """What went wrong in a worker, in its own words; nothing where nothing did."""
    return str(told.get("error") or "") if isinstance(told, dict) and set(told) == {"error"} else ""


def pool(stats: Any) -> str:
    """What kind of pool a worker has, by its statistics."""
    module = str(part(stats, "pool").get("implementation", "")).partition(":")[0]
    name = module.rpartition(".")[2]
    return {"thread": "threads"}.get(name, name) or "of its own"


def slots(stats: Any) -> int:
    """How many tasks a worker can run at once; 0 where it does not tell."""
    told = processes(stats)
    if told:
        return len(told)
    most = part(stats, "pool").get("max-concurrency")
    return most if isinstance(most, int) else 0


def limits_of(registered: Any) -> dict[str, dict[str, str]]:
    """The limits of each task that a worker has, by its name."""
    lines = (str(line) for line in registered) if isinstance(registered, list) else ()
    found = {}
    for line in lines:
        if told := _REGISTERED.fullmatch(line):
            pairs = (pair.partition("=") for pair in (told["info"] or "").split())
            found[told["name"]] = {name: value for name, _, value in pairs if name in LIMITS}
    return found


def processes(stats: Any) -> list[Any]:
    """The process ids of a pool; none of one that has no processes."""
    told = part(stats, "pool").get("processes")
    return told if isinstance(told, list) else []


def part(stats: Any, name: str) -> Mapping[str, Any]:
    """An object among a worker's statistics; an empty one where it is none."""
    found = stats.get(name) if isinstance(stats, dict) else None
    return found if isinstance(found, dict) else {}
