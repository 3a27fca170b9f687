"""The rows of the list of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from z4j_django.admin import formatting
from z4j_django.admin.readonly import UNNAMED
from z4j_django.models import TaskRecord
from z4j_django.queries import tasks


@dataclass(frozen=True)
class Row:
    """A task in the list; all of it is safe HTML."""

    checkbox: SafeString
    state: SafeString
    name: SafeString
    below: SafeString
    queue: SafeString
    worker: SafeString
    sent: SafeString
    wait: SafeString
    run: SafeString
    runs: bool


def rows(admin: Any, records: Iterable[TaskRecord]) -> Iterator[Row]:
    """A row for each task of a page."""
    now = timezone.now()
    for task in records:
        pace = tasks.pace(task, now)
        yield Row(
            checkbox=admin.action_checkbox(task),
            state=formatting.standing(task),
            name=admin.link(admin.url(task), formatting.name(task.name or UNNAMED)),
            below=_below(task),
            queue=formatting.name(task.queue),
            worker=formatting.name(task.worker),
            sent=formatting.moment(task.sent_at, now),
            wait=_length(pace.wait, task.sent_at if pace.ongoing == "wait" else None, now),
            run=_length(pace.run, task.started_at if pace.ongoing == "run" else None, now),
            runs=pace.ongoing == "run",
        )


def _length(seconds: float | None, since: datetime | None, now: datetime) -> SafeString:
    """A length of time; one that still grows counts in the browser."""
    if since is not None:
        return formatting.elapsed(since, now)
    return format_html("{}", formatting.duration(seconds))


def _below(task: TaskRecord) -> SafeString:
    """What stands under the name: the id, and the exception of what failed."""
    identifier = formatting.identifier(task.task_id)
    error = error_line(task)
    if not error:
        return identifier
    shown = format_html('<bdi class="z4j-error-line" title="{}">{}</bdi>', error, error)
    return formatting.joined(identifier, shown)


def error_line(task: Any) -> str:
    """The exception of a task in a line: its type without the modules, and what it said."""
    short = task.exception_type.rpartition(".")[2]
    said = " ".join(str(getattr(task, "error_line", "") or "").split())
    return f"{short}: {said}" if short and said else short or said
