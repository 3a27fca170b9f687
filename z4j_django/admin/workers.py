"""Workers, and what each did lately."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from z4j_django.admin import formatting
from z4j_django.admin.filters import OnlineFilter
from z4j_django.admin.readonly import ReadOnlyAdmin, facts
from z4j_django.models import TaskRecord, WorkerRecord
from z4j_django.queries import liveness, workers
from z4j_django.queries.index_ranges import IndexRange


@admin.register(WorkerRecord)
class WorkerAdmin(ReadOnlyAdmin):
    """Every worker, the newest first."""

    list_display = (
        "presence",
        "shown_hostname",
        "shown_pool",
        "shown_queues",
        "version",
        "seen",
        "started",
    )
    list_display_links = None
    list_filter = (OnlineFilter,)
    search_fields = ("hostname",)
    search_help_text = "Searches hostnames (whole, or their beginning)."
    detail_template = "admin/z4j_django/workerrecord/detail.html"

    def search_ranges(self, queryset: QuerySet[WorkerRecord], text: str) -> list[IndexRange]:
        """Hostnames by their beginnings."""
        return workers.ranges(queryset, text)

    @admin.display(description="presence")
    def presence(self, worker: WorkerRecord) -> str:
        """Whether it is there."""
        return formatting.badge(liveness.presence(worker, timezone.now()))

    @admin.display(description="worker")
    def shown_hostname(self, worker: WorkerRecord) -> str:
        """The hostname, leading to the worker's page."""
        return self.link(self.url(worker), formatting.text(worker.hostname))

    @admin.display(description="pool")
    def shown_pool(self, worker: WorkerRecord) -> str:
        """The pool and how many processes, threads or greenlets it has."""
        return formatting.text(" x ".join(filter(None, (worker.pool, _number(worker.concurrency)))))

    @admin.display(description="queues")
    def shown_queues(self, worker: WorkerRecord) -> str:
        """The queues it consumes."""
        return formatting.text(_queues(worker))

    @admin.display(description="started")
    def started(self, worker: WorkerRecord) -> str:
        """When it came up."""
        return formatting.moment(worker.started_at)

    @admin.display(description="last seen")
    def seen(self, worker: WorkerRecord) -> str:
        """When it last said anything."""
        return formatting.moment(worker.last_seen)

    def detail(self, request: HttpRequest, record: WorkerRecord) -> dict[str, Any]:
        """The context of a worker's page; its tasks want their own permission."""
        context: dict[str, Any] = {
            "title": record.hostname,
            "worker": record,
            "badge": formatting.badge(liveness.presence(record, timezone.now())),
            "facts": facts(
                ("Pool", record.pool),
                ("Concurrency", _number(record.concurrency)),
                ("Queues", formatting.plain(_queues(record))),
                ("Celery", record.version),
                ("Process", _number(record.pid)),
                *(
                    (label, formatting.full_moment(value))
                    for label, value in (
                        ("Started", record.started_at),
                        ("Last seen", record.last_seen),
                        ("Stopped", record.stopped_at),
                    )
                    if value
                ),
                ("Project", "" if record.project == "default" else record.project),
            ),
        }
        if self.may_view(request, TaskRecord):
            context |= {
                "tasks": self.task_rows(workers.recent_tasks(record)),
                "tasks_url": self.list_url(TaskRecord, worker=record.hostname),
                "tasks_limit": str(workers.RECENT_TASKS_LIMIT),
                "shows_tasks": True,
            }
        return context


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _queues(worker: WorkerRecord) -> str:
    """The queues in a row; a list by its making, though JSON may hold anything."""
    queues = worker.queues
    if isinstance(queues, list):
        return ", ".join(map(str, queues))
    return formatting.pretty_json(queues)
