"""Workers and what they did lately."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from z4j_django.models import TaskRecord, WorkerRecord
from z4j_django.queries import lookups, pages, status, tasks
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.index_ranges import IndexRange

#: Tasks shown of one worker, at most.
RECENT_TASKS_LIMIT = 50


def hostnames() -> list[str]:
    """The workers that came last, by name: pods come and go, and the old ones are many."""
    newest = WorkerRecord.objects.order_by("-id").values_list("hostname", flat=True)
    return sorted(set(newest[: tasks.CHOICES_LIMIT]))


def ranges(queryset: QuerySet[WorkerRecord], text: str) -> list[IndexRange]:
    """The workers whose hostname begins with ``text``."""
    text = text.strip()
    if not text:
        return [IndexRange()]
    projects = lookups.projects(queryset)
    begins = lookups.starts_with(queryset, "hostname", text)
    return [IndexRange(Q(project__in=projects) & begins)]


def wanted(project: str, beginning: str = "", online: bool | None = None) -> QuerySet[WorkerRecord]:
    """Some of the workers, in no order.

    Args:
        project: Whose.
        beginning: Of their hostnames.
        online: Those that never said goodbye, or those that did.
    """
    found = WorkerRecord.objects.filter(project=project)
    if beginning:
        found = found.filter(lookups.starts_with(found, "hostname", beginning))
    return found if online is None else found.filter(online=online)


def recent_tasks(worker: WorkerRecord) -> list[TaskRecord]:
    """The newest tasks that ``worker`` took."""
    mine = Q(project=worker.project) & status.VISIBLE
    taken = IndexRange(mine, column="worker", value=worker.hostname)
    found = tasks.summaries(TaskRecord.objects.all())
    return pages.read(found, Cursor(), RECENT_TASKS_LIMIT, [taken]).rows


def find(project: str, hostname: str) -> WorkerRecord | None:
    """The worker of this name, or None where it was never seen itself."""
    return WorkerRecord.objects.filter(project=project, hostname=hostname).first()
