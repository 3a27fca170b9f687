"""Workers: what each does now, and what it did lately."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from z4j_django import states, verbs
from z4j_django.admin import formatting, links, worker_pages
from z4j_django.admin.acting import ActingAdmin, Action
from z4j_django.admin.filters import OnlineFilter
from z4j_django.admin.fragments import Part
from z4j_django.admin.readonly import UNNAMED, facts
from z4j_django.agent import events
from z4j_django.models import ConditionRecord, TaskRecord, WorkerRecord
from z4j_django.queries import limits, liveness, releases, worker_status, workers
from z4j_django.queries.index_ranges import IndexRange

_NOT_CONSUMING: Final = worker_status.NOT_CONSUMING
#: Queues that are named of one worker.
_QUEUES = 20


#: Each word, with the colour that some other state has.
_PILLS: Final = {
    "online": (gettext_lazy("online"), "online"),
    "busy": (gettext_lazy("busy"), "started"),
    "not consuming": (gettext_lazy("not consuming"), "failure"),
    "silent": (gettext_lazy("silent"), "silent"),
    "gone": (gettext_lazy("gone"), "failure"),
    "stopped": (gettext_lazy("stopped"), "offline"),
}


def standing(status: worker_status.Status) -> SafeString:
    """How a worker stands, in a word; what says so stands behind it."""
    word, colour = _PILLS[status.word]
    shown = formatting.pill(str(word), colour=colour)
    return format_html('<span title="{}">{}</span>', status.evidence, shown)


@admin.register(WorkerRecord)
class WorkerAdmin(ActingAdmin):
    """Every worker, the newest first, and what can be done to those that are chosen."""

    list_display = ("shown_state", "shown_hostname", "shown_slots", "shown_queues", "seen")
    list_display_links = None
    list_filter = (OnlineFilter,)
    search_fields = ("hostname",)
    search_help_text = gettext_lazy("Searches hostnames (whole, or their beginning).")
    detail_template = "admin/z4j_django/workerrecord/detail.html"

    def get_urls(self) -> list[Any]:
        """With the pages that steer workers, and what one of them answers now."""
        own = [
            *(
                self.page(f"{verb.name}/", verb.name, worker_pages.WorkerPage, verb=verb)
                for verb in verbs.of("worker")
            ),
            self.page("<str:object_id>/live/", "live", worker_pages.LivePage),
        ]
        return [*own, *super().get_urls()]

    def offered(self) -> Iterator[Action]:
        """Every verb."""
        for verb in verbs.of("worker"):
            label = f"{_(verb.label)}…"
            yield Action(f"{verb.name}_chosen", label, verb.name, verb.name)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, and what can be done to all that are online."""
        everyone = worker_pages.buttons(self, request, **worker_pages.ALL)
        return super().changelist_view(request, {"everyone": everyone, **(extra_context or {})})

    def search_ranges(self, queryset: QuerySet[WorkerRecord], text: str) -> list[IndexRange]:
        """Hostnames by their beginnings."""
        return workers.ranges(queryset, text)

    def decorate(self, request: HttpRequest, rows: list[Any]) -> list[Any]:
        """The rows, each with how many tasks it runs."""
        worker_status.tell(rows, timezone.now())
        return rows

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, worker: Any) -> str:
        """What it does, in a word."""
        return standing(worker.status)

    @admin.display(description=gettext_lazy("worker"))
    def shown_hostname(self, worker: WorkerRecord) -> str:
        """The hostname, leading to the worker's page, above what it is."""
        link = self.link(self.url(worker), formatting.name(worker.hostname))
        about = [worker.pool, worker.version]
        return formatting.stacked(link, formatting.plain(", ".join(filter(None, about))))

    @admin.display(description=gettext_lazy("slots"))
    def shown_slots(self, worker: Any) -> str:
        """How many of its slots are in use."""
        if worker.pool == events.BEAT:
            return formatting.text("")
        return formatting.slots(worker.used, worker.concurrency)

    @admin.display(description=gettext_lazy("queues"))
    def shown_queues(self, worker: WorkerRecord) -> str:
        """The queues it consumes."""
        return formatting.text(_queues(worker))

    @admin.display(description=gettext_lazy("last word"))
    def seen(self, worker: WorkerRecord) -> str:
        """When it last said anything."""
        return formatting.moment(liveness.last_word(worker))

    def parts(self, request: HttpRequest, record: WorkerRecord) -> Mapping[str, Part]:
        """What it does now."""
        sees = self.may_view(request, TaskRecord)
        return {
            "now": Part("admin/z4j_django/workerrecord/now.html", lambda: self._now(record, sees))
        }

    def _now(self, worker: WorkerRecord, sees_tasks: bool) -> dict[str, Any]:
        now = timezone.now()
        hand = workers.in_hand(worker)
        running = [task for task in hand if task.state == states.STARTED]
        taken = len(hand) - len(running)
        held = ConditionRecord.objects.filter(
            project=worker.project, subject=worker.hostname, is_open=True
        )
        is_beat = worker.pool == events.BEAT
        takes_nothing = next((one.evidence for one in held if one.key == _NOT_CONSUMING), "")
        stands = worker_status.of(worker, len(running), now, takes_nothing)
        return {
            "standing": standing(stands),
            "evidence": stands.evidence,
            "slots": "" if is_beat else formatting.slots(len(running), worker.concurrency),
            "is_beat": is_beat,
            "last_word": formatting.moment(liveness.last_word(worker)),
            "is_full": bool(worker.concurrency) and len(running) >= (worker.concurrency or 0),
            "taken": ngettext("%d more taken and not begun", "%d more taken and not begun", taken)
            % taken
            if taken
            else "",
            "wrong": [
                {"evidence": one.evidence, "since": formatting.moment(one.since)} for one in held
            ],
            "sees_tasks": sees_tasks,
            "running": [
                {
                    "task": formatting.stacked(
                        self.link(self.url(task), formatting.name(task.name or str(UNNAMED))),
                        formatting.identifier(task.task_id),
                    ),
                    "elapsed": formatting.elapsed(task.started_at),
                    "queue": formatting.text(task.queue),
                }
                for task in running
            ]
            if sees_tasks
            else [],
        }

    def detail(self, request: HttpRequest, record: WorkerRecord) -> dict[str, Any]:
        """The context of a worker's page; its tasks want their own permission."""
        moments = (
            (_("Started"), record.started_at),
            (_("Last seen"), record.last_seen),
            (_("Stopped"), record.stopped_at),
        )
        context: dict[str, Any] = {
            "title": record.hostname,
            "worker": record,
            "buttons": []
            if record.pool == events.BEAT
            else worker_pages.buttons(self, request, id=record.pk),
            "limits": worker_pages.limit_rows(self, request, limits.of_worker(record)),
            "live_url": "" if record.pool == events.BEAT else self.page_url("live", record.pk),
            "queues": self._queue_links(request, record),
        }
        release = ""
        if self.may_view(request, TaskRecord):
            recent = workers.recent_tasks(record)
            release = ", ".join(releases.names_on(recent))
            context |= {
                "tasks": self.task_rows(recent),
                "tasks_url": self.list_url(TaskRecord, worker=record.hostname),
                "tasks_limit": str(workers.RECENT_TASKS_LIMIT),
                "shows_tasks": True,
            }
        odd = "" if isinstance(record.queues, list) else _queues(record)
        return context | {
            "facts": facts(
                (_("Pool"), record.pool),
                (_("Concurrency"), _number(record.concurrency)),
                (_("Queues"), formatting.plain(odd) if odd else ""),
                (_("Release"), release),
                (_("Celery"), record.version),
                (_("Process"), _number(record.pid)),
                *((label, formatting.full_moment(value)) for label, value in moments if value),
                (_("Project"), "" if record.project == "default" else record.project),
            )
        }

    def _queue_links(self, request: HttpRequest, worker: WorkerRecord) -> list[SafeString]:
        told = worker.queues if isinstance(worker.queues, list) else []
        return [
            links.linked(links.queue_url(request, str(one)), formatting.name(str(one)))
            for one in told[:_QUEUES]
        ]


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _queues(worker: WorkerRecord) -> str:
    """The queues in a row; a list by its making, though JSON may hold anything."""
    queues = worker.queues
    if isinstance(queues, list):
        return ", ".join(map(str, queues))
    return formatting.pretty_json(queues)
