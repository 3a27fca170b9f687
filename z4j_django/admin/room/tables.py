"""What is being done right now, and by whom: queues, workers, what runs; errors and schedules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from z4j_django import permissions
from z4j_django.admin import formatting, navigation
from z4j_django.admin.links import (
    linked,
    page_url,
    queues_url,
    record_url,
    schedules_url,
    tasks_url,
)
from z4j_django.admin.queues import cells
from z4j_django.admin.room.reading import ROWS, Reading
from z4j_django.admin.workers import standing
from z4j_django.conf import settings
from z4j_django.models import ErrorGroup, TaskRecord, WorkerRecord
from z4j_django.queries import errors, health, liveness, queue_table, schedule_runs, worker_status
from z4j_django.queries.filter import terms
from z4j_django.queries.schedule_runs import Schedule

#: From how many times its usual p95 on a task runs long.
_LONG: Final = 10
#: Runs that are shown of a schedule.
_RUNS: Final = 6
#: Workers that are silent for so long are not there any more.
_GONE: Final = timedelta(days=1)


@dataclass(frozen=True)
class Table:
    """Rows, and how many there are in all."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0
    url: str | None = None

    @property
    def more(self) -> str:
        """How many are not shown; empty where all are."""
        left = self.total - len(self.rows)
        return formatting.count(left) if left > 0 else ""


def queues(reading: Reading, request: HttpRequest) -> Table:
    """The queues in which the most waits."""
    found = queue_table.together(
        reading.queues, reading.pulse.queues, reading.consumers, reading.now
    )
    return Table(
        [
            cells(request, one, reading.now, reading.takers(one.name), reading.paused.get(one.name))
            for one in found[:ROWS]
        ],
        len(found),
        queues_url(request),
    )


def workers(reading: Reading, request: HttpRequest) -> Table:
    """The workers that are there: first those that are silent, then the busiest."""
    there = [
        one
        for one in reading.workers
        if one.online and one.last_seen and reading.now - one.last_seen < _GONE
    ]

    def place(worker: WorkerRecord) -> tuple[bool, float, str]:
        is_silent = liveness.presence(worker, reading.now) == "silent"
        return not is_silent, -reading.used.get(worker.hostname, 0), worker.hostname

    shown = sorted(there, key=place)[:ROWS]
    rows = [_worker(reading, request, one) for one in shown]
    return Table(rows, len(there), page_url(request, "workerrecord"))


def _worker(reading: Reading, request: HttpRequest, worker: WorkerRecord) -> dict[str, Any]:
    used = reading.used.get(worker.hostname, 0)
    takes_nothing = reading.takes_nothing.get(worker.hostname, "")
    status = worker_status.of(worker, used, reading.now, takes_nothing)
    if status.word in ("silent", "gone"):
        # For how long, the last word says beside it, without a new page with every second.
        status = replace(status, evidence="It said no goodbye.")
    return {
        "name": linked(
            record_url(request, "workerrecord", worker.pk), formatting.name(worker.hostname)
        ),
        "slots": formatting.slots(used, worker.concurrency),
        "status": standing(status),
        "seen": formatting.moment(worker.last_seen),
    }


def longest(reading: Reading, request: HttpRequest) -> Table:
    """The tasks that run for the longest, against what is usual."""
    rows = [_running(reading, request, one) for one in reading.longest]
    return Table(rows, len(reading.running), tasks_url(request, "state:STARTED"))


def _running(reading: Reading, request: HttpRequest, task: TaskRecord) -> dict[str, Any]:
    usual = reading.usual.get(task.name)
    seconds = reading.seconds(task.started_at) if task.started_at else 0.0
    times = seconds / usual if usual else 0.0
    return {
        "name": linked(
            record_url(request, "taskrecord", task.pk),
            formatting.name(task.name) if task.name else _("unnamed task"),
        ),
        "for": formatting.elapsed(task.started_at),
        "usual": formatting.short(usual),
        "bar": formatting.bar(times / 2, _times(times), is_bad=times >= 1) if usual else "",
        "is_long": times >= _LONG,
        "times": _times(times) if times >= 2 else "",
    }


def _times(times: float) -> str:
    # In two figures: what changes with every second would be sent anew with every second.
    times = float(f"{times:.2g}")
    return _("%(times)s times its p95") % {
        "times": formatting.count(times, 0 if times >= 10 else 1)
    }


def failures(reading: Reading, request: HttpRequest) -> Table:
    """The errors of the last hour, the last first."""
    rows = [_error(reading, request, one) for one in reading.errors]
    return Table(rows, len(rows), page_url(request, "errorgroup"))


def _error(reading: Reading, request: HttpRequest, error: ErrorGroup) -> dict[str, Any]:
    where = record_url(request, "errorgroup", error.error_id)
    kind = error.exception_type.rpartition(".")[2] or str(error)
    mark: SafeString | str = ""
    if errors.is_regressed(error):
        mark = formatting.pill(_("REGRESSED"), colour="failure")
    elif errors.is_new(error):
        mark = formatting.pill(_("NEW"), colour="failure")
    # What was seen within the hour was seen once at least, whether or not its task is on record.
    failed = max(reading.failed_lately.get(error.error_id, 0), 1)
    return {
        "type": linked(
            where or tasks_url(request, str(terms.exactly("error", error.error_id))),
            formatting.text(kind),
        ),
        "task": formatting.name(error.name),
        "count": formatting.count(failed) + ("+" if failed >= errors.COUNTED else ""),
        "last": formatting.moment(error.last_seen),
        "first": formatting.moment(error.first_seen),
        "mark": mark,
    }


def schedules(reading: Reading, request: HttpRequest) -> dict[str, Any]:
    """The schedules that are overdue, and those that come next."""
    held = [one for one in reading.attention.open if one.key == schedule_runs.OVERDUE]
    found = schedule_runs.part(
        reading.project, reading.now, reading.schedules, held, slice(ROWS), _RUNS
    )
    return {
        "rows": [_schedule(reading, request, one) for one in found.rows],
        "overdue": found.overdue,
        "total": found.total,
        "url": schedules_url(request),
    }


def _schedule(reading: Reading, request: HttpRequest, one: Schedule) -> dict[str, Any]:
    when = formatting.due(one.due(reading.now))
    if one.overdue is not None:
        when = format_html(_("overdue for {}"), formatting.elapsed(one.overdue.since))
    return {
        "name": linked(schedules_url(request), formatting.name(one.entry.name)),
        "runs": [
            formatting.sign(run, record_url(request, "taskrecord", run.pk)) for run in one.runs
        ],
        "when": when,
        "is_overdue": one.overdue is not None,
    }


def recording(reading: Reading, request: HttpRequest) -> dict[str, Any]:
    """How capture stands, in one line."""
    found = reading.recording.journals
    there = [one for one in found if one.state in ("shipping", "behind")]
    wrong = [one for one in found if one.state == "silent"]
    lag = max((one.lag for one in there), default=timedelta())
    journals = ngettext("%(count)s journal is stored", "%(count)s journals are stored", len(there))
    return {
        **_telling(reading, request),
        "journals": journals % {"count": formatting.count(len(there))},
        "any": bool(found),
        "lag": formatting.short(lag.total_seconds()),
        "is_behind": lag > health.BEHIND_AFTER,
        "silent": len(wrong),
        "lost": formatting.count(reading.recording.lost) if reading.recording.lost else "",
        "url": page_url(request, "journalrecord"),
    }


def _telling(reading: Reading, request: HttpRequest) -> dict[str, Any]:
    """That nobody is told of what is wrong, or not everybody; nothing where all is well."""
    if not navigation.may_view(request, "alertdelivery"):
        return {}
    found = reading.held
    if not (found.has_channel or settings.ALERTS.CHANNELS):
        may = permissions.can(request.user, "alerts")
        url = page_url(request, "alertchannel", "add") if may else None
        return {"nobody": True, "telling_url": url or page_url(request, "alertrule")}
    if not found.lost:
        return {}
    words = ngettext("%(n)s alert did not arrive.", "%(n)s alerts did not arrive.", found.lost)
    return {
        "untold": words % {"n": formatting.count(found.lost)},
        "telling_url": page_url(request, "alertdelivery"),
    }
