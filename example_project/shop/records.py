"""What ``z4j_django`` has on record, in the form that the comparison wants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from example_project.shop.comparison import ExpectedGroup, Recorded
from z4j_django import states
from z4j_django.models import GroupRecord, TaskEvent, TaskRecord

_BATCH = 500
_ENDS = ("task_succeeded", "task_failed", "task_retry", "task_ignored", "task_rejected")


def finished(task_ids: Sequence[str]) -> int:
    """How many of these tasks have come to an end."""
    return sum(
        TaskRecord.objects.filter(task_id__in=batch, state__in=states.FINISHED).count()
        for batch in _batches(task_ids)
    )


def tasks(task_ids: Iterable[str], queue: str) -> dict[str, Recorded]:
    """The records of these tasks, and of any other that was sent to ``queue``, by id."""
    wanted = sorted({*task_ids, *_sent_to(queue)})
    found: dict[str, Recorded] = {}
    for batch in _batches(wanted):
        kinds = Counter(TaskEvent.objects.filter(task_id__in=batch).values_list("task_id", "kind"))
        for record in TaskRecord.objects.filter(task_id__in=batch):
            task_id = record.task_id
            found[task_id] = Recorded(
                name=record.name,
                state=record.state,
                retries=record.retries,
                starts=kinds[task_id, "task_started"],
                ends=sum(kinds[task_id, kind] for kind in _ENDS),
                revocations=kinds[task_id, "task_revoked"],
            )
    return found


def groups(group_ids: Iterable[str]) -> dict[str, ExpectedGroup]:
    """The records of these groups, by id."""
    return {
        record.group_id: ExpectedGroup(
            record.group_id, record.kind, record.size, record.body_id, record.body_name
        )
        for batch in _batches(sorted(group_ids))
        for record in GroupRecord.objects.filter(group_id__in=batch)
    }


def _sent_to(queue: str) -> Iterable[str]:
    return TaskRecord.objects.filter(queue=queue).values_list("task_id", flat=True)


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]
