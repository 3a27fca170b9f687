"""The rows of the list of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import helpers
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from z4j_django import states
from z4j_django.admin import formatting
from z4j_django.admin.readonly import UNNAMED
from z4j_django.models import TaskRecord
from z4j_django.queries import progress, tasks


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
            checkbox=_checkbox(task),
            state=formatting.pill(task.state),
            name=admin.link(admin.url(task), formatting.name(task.name or str(UNNAMED))),
            below=_below(task, now),
            queue=formatting.name(task.queue),
            worker=formatting.name(task.worker),
            sent=formatting.moment(task.sent_at, now),
            wait=_length(pace.wait, task.sent_at if pace.ongoing == "wait" else None, now),
            run=_length(pace.run, task.started_at if pace.ongoing == "run" else None, now),
            runs=pace.ongoing == "run",
        )


def _checkbox(task: TaskRecord) -> SafeString:
    """As Django's list has it; under a class of its own, for the admin's script wants its menu."""
    return format_html(
        '<input type="checkbox" name="{}" value="{}" class="z4j-select" aria-label="{}">',
        helpers.ACTION_CHECKBOX_NAME,
        str(task.pk),
        _("Select %(task)s") % {"task": task},
    )


def _length(seconds: float | None, since: datetime | None, now: datetime) -> SafeString:
    """A length of time; one that still grows counts in the browser."""
    if since is not None:
        return formatting.elapsed(since, now)
    return format_html("{}", "" if seconds is None else formatting.duration(seconds))


def _below(task: TaskRecord, now: datetime) -> SafeString:
    """What stands under the name: the id, what the state does not say, and what the task said."""
    parts = [formatting.identifier(task.task_id)]
    if status := formatting.status(task):
        parts.append(formatting.mark(status))
    if task.state == states.STARTED and (told := progress_line(task, now)):
        parts.append(told)
    if error := error_line(task):
        parts.append(format_html('<bdi class="z4j-error-line" title="{}">{}</bdi>', error, error))
    return formatting.joined(*parts)


def progress_line(task: TaskRecord, now: datetime) -> SafeString:
    """How far a task says it is, in a line: a bar, its text, and how long it will take."""
    told = progress.of(task, now)
    if told is None:
        return SafeString("")
    parts: list[SafeString] = []
    if told.current is not None and told.total:
        parts.append(formatting.progress(told.current, told.total))
    elif told.current is not None:
        parts.append(format_html("{}", formatting.count(told.current)))
    if told.text:
        parts.append(format_html('<bdi class="z4j-says" title="{}">{}</bdi>', told.text, told.text))
    if told.left is not None:
        left = _("about %(time)s left") % {"time": formatting.span(told.left)}
        parts.append(format_html('<span class="z4j-quiet">{}</span>', left))
    return format_html('<span class="z4j-told">{}</span>', formatting.joined(*parts))


def error_line(task: Any) -> str:
    """The exception of a task in a line: its type without the modules, and what it said."""
    short = task.exception_type.rpartition(".")[2]
    said = " ".join(str(getattr(task, "error_line", "") or "").split())
    return f"{short}: {said}" if short and said else short or said
