"""Steering workers, and what one of them is at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from z4j_django import permissions, verbs, wiring
from z4j_django.admin import formatting, forms, links
from z4j_django.admin.acting import VerbPage, chosen, keys
from z4j_django.admin.fragments import Part
from z4j_django.admin.pages import Page
from z4j_django.admin.readonly import facts
from z4j_django.admin.trails import Button
from z4j_django.conf import settings
from z4j_django.control import live_view
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, TaskRecord, WorkerRecord
from z4j_django.models.primary import primary
from z4j_django.queries import limits, tasks, worker_status, workers

#: What stands in an address for all that are online, and workers that are named of them.
ALL: Final = {"all": "online"}
_NAMED: Final = 100


def buttons(admin: Any, request: HttpRequest, **which: object) -> list[Button]:
    """What this user may do to some workers, as an address names them."""
    return [
        Button(f"{_(verb.label)}…", admin.page_url(verb.name, **which), dangerous=verb.dangerous)
        for verb in verbs.of("worker")
        if permissions.can(request.user, verb.name)
    ]


def limit_rows(admin: Any, request: HttpRequest, found: Iterable[limits.Limit]) -> list[Any]:
    """Limits that were set by hand, each with the way to take it back, for those who may."""
    sees = admin.may_view(request, Operation)
    rows = []
    for one in found:
        query = {"id": one.worker.pk, "task": one.task, "reset": "on"}
        operation = admin.page_of(Operation, one.operation) if sees else None
        rows.append(
            {
                "limit": str(one),
                "is_sure": one.is_sure,
                "task": one.task,
                "worker": admin.link(admin.url(one.worker), formatting.name(one.worker.hostname)),
                "by": admin.link(operation, formatting.plain(one.actor)),
                "at": formatting.moment(one.at),
                "reset_url": links.worker_verb_url(request, one.verb, query),
            }
        )
    return rows


class WorkerPage(VerbPage):
    """Does one verb to some workers, or to all that are online at the moment when it is done."""

    template_name = "admin/z4j_django/workerrecord/confirm.html"
    verb = verbs.PING
    records: list[WorkerRecord]

    def choose(self) -> None:
        """Those that are on record, by name."""
        if self.are_all:
            self.records = workers.online(settings.PROJECT, timezone.now())
            if not self.records:
                raise OperationError(_("No worker is online on record."))
            return
        rows = primary(WorkerRecord).filter(pk__in=keys(chosen(self.request)))
        self.records = list(rows.order_by("hostname"))
        if not self.records:
            raise OperationError(_("None of these workers is on record."))
        self.see_to_one_project()

    @property
    def are_all(self) -> bool:
        """Whether all that are online are meant."""
        return all(self.request.GET.get(name) == value for name, value in ALL.items())

    def form(self, data: Any = None) -> forms.OptionsForm:
        """The form, as the address fills it in."""
        form = super().form(data)
        given = self.request.GET
        form.initial = {name: given[name] for name in form.fields if name in given}
        return form

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Do it to all of them."""
        names = None if self.are_all else [one.hostname for one in self.records]
        return [self.perform(names, form.options(), project=self.records[0].project)]

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """How they stand."""
        named = self.records[:_NAMED]
        worker_status.tell(named, timezone.now())
        count = len(self.records)
        several = ngettext("%(count)s worker", "%(count)s workers", count) % {"count": count}
        noun = several if count > 1 else self.records[0].hostname
        if self.are_all:
            noun = _("all that are online (%(count)s)") % {"count": count}
        said = {"verb": _(self.verb.label), "what": noun}
        return self.shown(
            form,
            title=_("%(verb)s: %(what)s") % said,
            note=_(self.verb.about),
            submit=_(self.verb.label),
            dangerous=self.verb.dangerous,
            are_all=self.are_all,
            more=count - len(named),
            rows=[
                {
                    "name": self.model_admin.link(
                        self.model_admin.url(one), formatting.name(one.hostname)
                    ),
                    "standing": self.model_admin.shown_state(one),
                    "evidence": one.status.evidence,  # type: ignore[attr-defined]  # told above
                }
                for one in named
            ],
        )


class LivePage(Page):
    """What a worker answers now: a part of its page, asked for when it is opened.

    Without scripts it is a page of its own.
    """

    template_name = "admin/z4j_django/workerrecord/live_page.html"

    def parts(self) -> dict[str, Part]:
        """The one."""
        worker = self._worker()
        template = "admin/z4j_django/workerrecord/live.html"
        sees = self.model_admin.may_view(self.request, TaskRecord)
        return {"live": Part(template, lambda: live(self.model_admin, worker, sees), every=0)}

    def context(self) -> dict[str, Any]:
        """The way back to the worker."""
        worker = self._worker()
        title = _("At this moment: %(worker)s") % {"worker": worker}
        return {"title": title, "worker_url": self.model_admin.url(worker)}

    def _worker(self) -> WorkerRecord:
        if self._found is None:
            self._found = self.model_admin.get_object(self.request, self.kwargs["object_id"])
        if self._found is None:
            raise Http404(_("There is no such worker on record."))
        return self._found

    _found: WorkerRecord | None = None


def live(admin: Any, worker: WorkerRecord, sees_tasks: bool) -> dict[str, Any]:
    """What a worker answers, for its template."""
    view = live_view.look(wiring.find_celery_app().app, worker.hostname)
    said = view.said
    stats, usage = said.get("stats", {}), said.get("processes", {})
    kinds = (("active", _("Running")), ("reserved", _("Taken")), ("scheduled", _("Scheduled")))
    return {
        "view": view,
        "silent": ", ".join(view.silent),
        "errors": view.errors.items(),
        "facts": _facts(stats, usage, said),
        "processes": _processes(usage),
        "tasks": [
            {
                "title": title,
                "count": said[kind]["count"],
                "rows": _tasks(admin, worker, said[kind]["tasks"]) if sees_tasks else [],
            }
            for kind, title in kinds
            if kind in said
        ],
        "registered": said.get("registered"),
        "queues": said.get("active_queues"),
        "conf": formatting.pretty_json(said["conf"]) if "conf" in said else "",
    }


def _facts(
    stats: Mapping[str, Any], usage: Mapping[str, Any], said: Mapping[str, Any]
) -> list[Any]:
    pool = usage.get("pool", ())
    main = usage.get("main") or {}
    load = " ".join(f"{one:.2f}" for one in usage.get("load", ()))
    scale = stats.get("autoscale")
    revoked = said.get("revoked", {}).get("count")
    return facts(
        (_("Process"), str(stats.get("pid") or "")),
        (_("Up for"), formatting.duration(stats["uptime"]) if stats.get("uptime") else ""),
        (_("Pool"), stats.get("pool", "")),
        (_("Slots"), _number(stats.get("slots"))),
        (_("Scales between"), f"{scale['min']}-{scale['max']}" if scale else ""),
        (_("Prefetches"), _number(stats.get("prefetch"))),
        (_("Tasks since it started"), _number(stats.get("processed"))),
        (_("Revoked ids it knows"), _number(revoked)),
        (_("Load of its host"), f"{load} / {usage.get('cpus')} CPUs" if load else ""),
        (_("Memory, main process"), _size(main.get("memory"))),
        (_("Memory, pool"), _size(sum(one["memory"] or 0 for one in pool)) if pool else ""),
        (_("CPU time, main process"), formatting.duration(main["cpu"]) if main else ""),
        (_("CPU time, pool"), formatting.duration(sum(one["cpu"] for one in pool)) if pool else ""),
    )


def _processes(usage: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "pid": str(one["pid"]),
            "memory": _size(one["memory"]),
            "cpu": formatting.duration(one["cpu"]),
            "age": formatting.duration(one["age"]),
        }
        for one in usage.get("pool", ())
    ]


def _tasks(admin: Any, worker: WorkerRecord, told: list[dict[str, Any]]) -> list[SafeString]:
    known = tasks.by_ids(worker.project, [one["task_id"] for one in told])
    return [admin.relative(one["task_id"], known.get(one["task_id"]), one["name"]) for one in told]


def _size(count: int | None) -> str:
    return filesizeformat(count) if count else ""


def _number(value: int | None) -> str:
    return "" if value is None else formatting.count(value)
