"""One task: what became of it first, then all that is known of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from z4j_django import permissions, states, verbs, wiring
from z4j_django.admin import (
    formatting,
    task_results,
    task_rows,
    tracebacks,
    trails,
    workflow_pages,
)
from z4j_django.admin.readonly import UNNAMED, Fact, ReadOnlyAdmin, facts
from z4j_django.conf import settings
from z4j_django.control import results
from z4j_django.models import ErrorGroup, GroupRecord, Operation, TaskRecord, WorkerRecord
from z4j_django.queries import events, releases, status, task_logs, tasks
from z4j_django.queries.filter import terms
from z4j_django.secrets import redaction
from z4j_django.values import error_id

#: Seconds that a part of the page waits for the result backend.
_TIMEOUT: Final = 1.0


class TaskDetail:
    """What the page of a task shows.

    Args:
        admin: Whose page it is.
        request: For it.
        task: The record, as ``tasks.detailed`` reads it.
    """

    def __init__(self, admin: ReadOnlyAdmin, request: HttpRequest, task: TaskRecord) -> None:
        self._admin = admin
        self._request = request
        self._task: Any = task
        self._now = timezone.now()

    def context(self, *, with_progress: bool) -> dict[str, Any]:
        """All of it.

        Args:
            with_progress: Whether the result backend is asked how far the task is: where nobody
                waits for the page.
        """
        task = self._task
        family = tasks.family(task)
        status.tell([task, *family.children])
        return {
            "task": task,
            "pill": formatting.pill(task.state, formatting.status(task)),
            "retried": self._retried(family),
            "buttons": trails.task_buttons(self._admin, self._request, task),
            "error": self._error(),
            **self._progress(asks=with_progress),
            "log": self._log(),
            "stack_url": self._stack_url(),
            **self._pace(),
            "sent": self._sent(family),
            "payload": self._payload(),
            "result": self._result(),
            **self._timeline(),
            **self._family(family),
            "workflow_url": workflow_pages.address(self._admin, self._request, task),
            "facts": self._facts(),
            "line": self._line(family),
            **trails.trail(self._admin, self._request, task),
        }

    def _retried(self, family: tasks.Family) -> list[SafeString]:
        """What retries it, the newest first."""
        shown = [
            format_html(
                "{} {}",
                self._link(self._admin.url(one), formatting.short_id(one.task_id)),
                formatting.badge(one.state),
            )
            for one in family.retried_as
        ]
        return [*shown, formatting.plain(_("and more"))] if family.more_retries else shown

    def _error(self) -> dict[str, Any] | None:
        task = self._task
        if not (task.exception_type or task.exception_message or task.traceback):
            return None
        return {
            "type": task.exception_type.rpartition(".")[2],
            "whole_type": task.exception_type,
            "message": formatting.bounded(task.exception_message),
            "traceback": tracebacks.parts(task.traceback, task.name),
            **self._alike(),
        }

    def _alike(self) -> dict[str, Any]:
        """How many failed so, and where these are."""
        task = self._task
        if not task.error or not task.error_count or task.error_count < 2:
            return {}
        shown = formatting.count(task.error_count)
        words = ngettext("one of %(count)s like it", "one of %(count)s like it", task.error_count)
        address = None
        if self._admin.may_view(self._request, ErrorGroup):
            address = self._admin.page_of(ErrorGroup, task.error_key)
        address = address or self._admin.list_url(TaskRecord, q=f"error:{error_id(task.error)}")
        return {"alike": words % {"count": shown}, "alike_url": address}

    def _progress(self, *, asks: bool) -> dict[str, Any]:
        """How far it says it is: to us, or else to the result backend, in time, while it runs."""
        if shown := task_rows.progress_line(self._task, self._now):
            return {"progress": shown}
        if not asks or self._task.state != states.STARTED:
            return {}
        try:
            app = wiring.find_celery_app().app
            found = results.progress(app, self._task.task_id, _TIMEOUT)
        except Exception:  # whatever the backend raises: the page is about the task
            return {}
        if found is None:
            return {}
        bar = formatting.progress(found.current, found.total) if found.total else ""
        meta = redaction.redact(found.meta, rules=settings.redaction) if found.meta else None
        return {
            "progress": bar,
            "own_state": formatting.text(found.state) if found.state else "",
            "meta": formatting.pretty_json(meta) if meta else "",
        }

    def _log(self) -> dict[str, Any] | None:
        """What it wrote to its log, where any of it is kept."""
        if not self._task.log_kept:
            return None
        found = task_logs.log(self._task)
        lines = [
            {
                "at": formatting.full_moment(line.at),
                "level": line.level,
                "is_bad": line.level in ("ERROR", "CRITICAL"),
                "logger": formatting.text(line.logger),
                "text": line.text,
                "retries": str(line.retries),
            }
            for line in found.lines
        ]
        left_out = formatting.count(found.left_out) if found.left_out else ""
        return {"lines": lines, "left_out": left_out}

    def _stack_url(self) -> str:
        """Where to see what it does now, for those who may, while it runs."""
        runs = self._task.state == states.STARTED
        if not runs or not permissions.can(self._request.user, "stack"):
            return ""
        return self._admin.page_url("stack", self._task.pk) or ""

    def _pace(self) -> dict[str, Any]:
        pace = tasks.pace(self._task, self._now)
        going = self._task.started_at if pace.ongoing == "run" else None
        return {
            "bar": formatting.pace_bar(pace.wait, pace.run),
            "wait": "" if pace.wait is None else formatting.duration(pace.wait),
            "wait_label": _WAIT[pace.since](),
            "waits": pace.ongoing == "wait",
            "run": "" if pace.run is None else formatting.duration(pace.run),
            "runs_since": formatting.elapsed(going, self._now) if going else "",
        }

    def _sent(self, family: tasks.Family) -> SafeString:
        """When it was sent, by whom, from which release."""
        task = self._task
        parts = []
        if task.sent_at:
            clock, ago = self._clock(task.sent_at), formatting.moment(task.sent_at, self._now)
            parts.append(format_html(_("sent {}, {}"), clock, ago))
        if sender := self._sender(family):
            parts.append(sender)
        if name := self._release():
            parts.append(format_html(_("release {}"), formatting.plain(name)))
        return format_html_join(", ", "{}", ((part,) for part in parts))

    def _clock(self, at: datetime) -> str:
        """The time of a day, with its date where that is not today."""
        if not timezone.is_aware(at):
            return f"{at:%Y-%m-%d %H:%M:%S}"
        local, today = timezone.localtime(at), timezone.localtime(self._now)
        return f"{local:%H:%M:%S}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M:%S}"

    def _sender(self, family: tasks.Family) -> SafeString | None:
        """Who published it, and on which host."""
        task = self._task
        pid, _at, host = task.origin.partition("@")
        name: SafeString | None = None
        if task.schedule:
            by_hand = task.operation_verb == verbs.RUN_SCHEDULE.name
            words = _("the schedule {}, by hand") if by_hand else _("the schedule {}")
            name = format_html(words, formatting.plain(task.schedule))
        elif task.operation_verb and self._admin.may_view(self._request, Operation):
            name = self._operation()
        elif family.parent is not None and family.parent.record is not None:
            parent = family.parent.record
            name = self._link(self._admin.url(parent), parent.name or str(UNNAMED))
        elif host:
            name = format_html(_("process {}"), pid)
        if name is None:
            return None
        if not host:
            return format_html(_("by {}"), name)
        return format_html(_("by {} ({})"), name, formatting.plain(host))

    def _release(self) -> str:
        if not self._task.release:
            return ""
        return self._task.release_known or releases.FORGOTTEN

    def _payload(self) -> list[Fact]:
        task = self._task
        blocks = ((_("Positional"), task.args), (_("By keyword"), task.kwargs))
        return [
            Fact(label, formatting.pretty_json(value))
            for label, value in blocks
            if value is not None
        ]

    def _result(self) -> str:
        task = self._task
        known = task.result is not None or task.state == states.SUCCESS
        return formatting.pretty_json(task.result) if known else ""

    def _timeline(self) -> dict[str, Any]:
        found = events.timeline(self._task)
        return {
            "timeline": [_timeline_row(entry) for entry in found.entries],
            "timeline_limit": str(events.TIMELINE_LIMIT) if found.more else "",
        }

    def _facts(self) -> list[Fact]:
        task = self._task
        moments = (
            (_("Sent"), task.sent_at),
            (_("Received"), task.received_at),
            (_("Started"), task.started_at),
            (_("Finished"), task.finished_at),
            (_("ETA"), task.eta),
            (_("Expires"), task.expires),
        )
        return facts(
            (_("Queue"), self._queue()),
            (_("Exchange"), task.exchange),
            (_("Routing key"), task.routing_key),
            (_("Priority"), "" if task.priority is None else str(task.priority)),
            (_("Worker"), self._worker()),
            (_("Process"), str(task.pid) if task.pid else ""),
            (_("Retries"), str(task.retries)),
            (_("Deliveries"), str(task.deliveries)),
            *((label, formatting.full_moment(at)) for label, at in moments if at),
            (_("Time limit"), formatting.duration(task.time_limit) if task.time_limit else ""),
            (_("Schedule"), task.schedule),
            (_("Published by"), task.origin),
            (_("Release"), self._release()),
            (_("Trace"), self._trace()),
            (_("Parent span"), task.parent_span_id),
            (_("Task result"), self._task_result()),
            (_("Project"), "" if task.project == "default" else task.project),
        )

    def _trace(self) -> SafeString | str:
        """The trace, shown where traces are; and the tasks of it."""
        trace_id = self._task.trace_id
        if not trace_id:
            return ""
        shown = self._link(settings.trace_address(trace_id) or None, trace_id)
        of_it = self._admin.list_url(TaskRecord, q=str(terms.exactly("trace", trace_id)))
        return format_html("{} {}", shown, self._link(of_it, _("its tasks")))

    def _task_result(self) -> SafeString | str:
        address = task_results.result_url(self._admin, self._request, self._task)
        return self._link(address, "django-celery-results") if address else ""

    def _queue(self) -> SafeString | str:
        queue = self._task.queue
        return self._link(self._admin.list_url(TaskRecord, queue=queue), queue) if queue else ""

    def _worker(self) -> SafeString | str:
        task = self._task
        if task.worker_key and self._admin.may_view(self._request, WorkerRecord):
            return self._link(self._admin.page_of(WorkerRecord, task.worker_key), task.worker)
        return formatting.plain(task.worker) if task.worker else ""

    def _family(self, family: tasks.Family) -> dict[str, Any]:
        relatives = (
            (_("Parent"), family.parent),
            (_("Root"), family.root),
            (_("Chord body"), family.chord_body),
        )
        lines: list[tuple[str, str]] = [
            (label, self._admin.relative(one.task_id, one.record))
            for label, one in relatives
            if one
        ]
        for one in family.next_steps:
            label = _("Next step, never sent") if one.never_sent else _("Next step")
            lines.append((label, self._admin.relative(one.task_id, one.record, one.name)))
        if family.chord_group:
            lines.append((_("Chord body"), self._group(family.chord_group)))
        if family.group_id:
            shown = self._group(family.group) if family.group else None
            lines.append((_("Group"), shown or formatting.missing(family.group_id)))
        if self._task.group_index is not None:
            lines.append((_("Place in group"), str(self._task.group_index)))
        if family.body_of:
            lines.append((_("Body of chord"), self._group(family.body_of)))
        return {
            "family": facts(*lines),
            "children": self._admin.task_rows(family.children),
            "children_limit": str(tasks.CHILDREN_LIMIT) if family.more_children else "",
        }

    def _group(self, group: GroupRecord) -> str:
        if not self._admin.may_view(self._request, GroupRecord):
            return formatting.plain(group.group_id)
        return self._link(self._admin.url(group), f"{group.kind} {group.group_id}")

    def _line(self, family: tasks.Family) -> list[Fact]:
        """What it retries, and the operation that published it."""
        before = family.retry_of
        origin = ""
        if self._task.operation_verb and self._admin.may_view(self._request, Operation):
            origin = self._operation()
        return facts(
            (_("Retry of"), self._admin.relative(before.task_id, before.record) if before else ""),
            (_("Published by"), origin),
        )

    def _operation(self) -> SafeString:
        task = self._task
        verb = formatting.verb(task.operation_verb) if task.operation_verb in verbs.VERBS else ""
        words = _("operation %(number)s: %(verb)s by %(actor)s") % {
            "number": task.operation,
            "verb": verb.lower(),
            "actor": task.operation_actor,
        }
        return self._link(self._admin.page_of(Operation, task.operation), words)

    def _link(self, address: str | None, shown: str) -> SafeString:
        return self._admin.link(address, formatting.plain(shown))


_WAIT: Final[dict[str, Callable[[], str]]] = {
    "sent": lambda: _("wait"),
    "eta": lambda: _("wait since ETA"),
    "received": lambda: _("wait since the last receipt"),
}


def _timeline_row(entry: events.TimelineEntry) -> dict[str, str]:
    event = entry.event
    delta = ""
    if entry.since_previous is not None:
        delta = f"+{formatting.duration(entry.since_previous)}"
    return {
        "kind": event.kind,
        "at": formatting.full_moment(event.at),
        "delta": delta,
        "worker": formatting.text(event.worker),
        "pid": "" if event.pid is None else str(event.pid),
        "retries": str(event.retries),
        "detail": formatting.bounded(event.detail),
    }
