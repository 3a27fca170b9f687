"""Workers and what they did lately."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from z4j_django import states
from z4j_django.models import TaskRecord, WorkerRecord
from z4j_django.queries import liveness, lookups, pages, status, tasks
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.index_ranges import IndexRange

#: Tasks shown of one worker, at most.
RECENT_TASKS_LIMIT = 50
#: Workers that are looked at at once, at most.
ONLINE_LIMIT = 1_000


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


def online(project: str, now: datetime) -> list[WorkerRecord]:
    """The newest workers that are heard of."""
    found = wanted(project, online=True).exclude(liveness.silent(now)).filter(liveness.RUNS_TASKS)
    return list(found.order_by("-id")[:ONLINE_LIMIT])


def listed(project: str, now: datetime) -> list[WorkerRecord]:
    """The newest workers that were heard of within a day, those that said goodbye among them."""
    found = wanted(project).exclude(liveness.left_long_ago(now)).filter(liveness.RUNS_TASKS)
    return list(found.order_by("-id")[:ONLINE_LIMIT])


def in_hand(worker: WorkerRecord) -> list[TaskRecord]:
    """What ``worker`` runs, the longest first, and then what it took and did not begin."""
    mine = TaskRecord.objects.filter(
        project=worker.project,
        worker=worker.hostname,
        state__in=(states.STARTED, states.RECEIVED),
    )
    found = list(tasks.summaries(mine)[: RECENT_TASKS_LIMIT * 4])
    return sorted(found, key=lambda task: (task.state != states.STARTED, _begun(task), task.pk))


def _begun(task: TaskRecord) -> float:
    begun = task.started_at or task.received_at
    return begun.timestamp() if begun else 0.0
