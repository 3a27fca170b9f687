"""Tasks, and other rows, as a command prints them: which columns, and how each value is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.utils import timezone

from z4j_django.models import TaskRecord
from z4j_django.queries import releases, status, tasks
from z4j_django.values import error_id

#: Every column that is no key of the merge; ``row`` is the number of the task's row, and ``status``
#: what its state does not say.
FIELDS: Final = (
    "row",
    "status",
    *(
        field.name
        for field in TaskRecord._meta.concrete_fields
        if field.editable and not field.primary_key
    ),
    "error",
    "release",
)
#: Those of JSON where none are named: the large ones are to be asked for.
LIGHT: Final = tuple(name for name in FIELDS if name not in tasks.HEAVY_FIELDS)
#: Those of the table where none are named.
SHORT: Final = ("state", "status", "name", "task_id", "queue", "worker", "sent_at", "runtime")

#: Characters of a cell, at most.
_CELL: Final = 80
_NOTHING: Final = "-"


def columns(fields: Sequence[str]) -> list[str]:
    """What has to be read of the table; an order may need the time of the sending."""
    run = ("state", "started_at", "finished_at") if "runtime" in fields else ()
    return ["id", "sent_at", *run, *(name for name in fields if name not in ("row", "status"))]


def told(page: list[TaskRecord], fields: Sequence[str]) -> list[TaskRecord]:
    """A page of tasks, with what their states do not say where that is shown."""
    if "status" in fields:
        status.tell(page)
    if "release" in fields:
        releases.tell(page)
    return page


def document(row: Any, fields: Sequence[str]) -> dict[str, Any]:
    """A row as JSON has it: moments in UTC, lengths of time in seconds."""
    return {name: _plain(_value(row, name)) for name in fields}


def lines(row: Any, fields: Sequence[str]) -> Iterator[str]:
    """One row, a line for each column that says something."""
    cells = ((name, cell(_value(row, name))) for name in fields)
    yield from (f"{name:15} {text}" for name, text in cells if text != _NOTHING)


def table(rows: Iterable[Any], fields: Sequence[str]) -> Iterator[str]:
    """Lines with aligned columns, the first of which names them."""
    cells = [fields, *([cell(_value(task, name)) for name in fields] for task in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _value(task: Any, name: str) -> Any:
    if not isinstance(task, TaskRecord):
        return getattr(task, name)
    if name == "runtime":
        return tasks.runtime(task, timezone.now())
    if name == "error":
        return task.error and error_id(task.error)
    if name == "release":
        return task.release_name
    return task.pk if name == "row" else getattr(task, name)


def _plain(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    aware = value if timezone.is_aware(value) else timezone.make_aware(value)
    return f"{aware.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def cell(value: Any) -> str:
    """A value on one line, cut."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, datetime):
        local = timezone.localtime(value) if timezone.is_aware(value) else value
        return f"{local:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:.3f}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return printable(text if len(text) <= _CELL else f"{text[: _CELL - 1]}…")


def printable(text: str) -> str:
    """A text with what a terminal would obey spelled out: whoever sends a task chooses it."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
