"""What the records tell of a pickled message, which is never opened."""

from __future__ import annotations

from typing import Final

from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.models.primary import primary

#: Steps of a chain that are followed, and tasks that are looked at for each.
_STEPS: Final = 1_000
_CHILDREN: Final = 500


def chord_of(record: TaskRecord, body: bytes) -> str:
    """The task id of the body of the chord that a task's chain leads to, if it is part of one.

    Only the last step of a chain is a member of the chord, so the record of an earlier step does
    not name it. The steps are found as tasks that hang on this one and whose ids the message has.
    A chord that first came up after the task had begun is one that its chain starts: that one
    is published anew, and is not meant.

    Args:
        record: The task's.
        body: Of its message.
    """
    seen = {record.task_id}
    waiting = [record.task_id]
    while waiting and len(seen) < _STEPS:
        hanging = primary(TaskRecord).filter(project=record.project, parent_id=waiting.pop())
        rows = hanging.order_by("id").values_list("task_id", "chord_id", "group_id")[:_CHILDREN]
        for task_id, chord_id, group_id in rows:
            if task_id in seen or task_id.encode() not in body:
                continue
            if chord_id and chord_id.encode() in body and _was_there(record, group_id):
                return str(chord_id)
            seen.add(task_id)
            waiting.append(task_id)
    return ""


def _was_there(record: TaskRecord, group_id: str) -> bool:
    """Whether a group was known before a task began."""
    found = primary(GroupRecord).filter(project=record.project, group_id=group_id)
    first_seen = found.values_list("first_seen", flat=True).first()
    return record.started_at is None or first_seen is None or first_seen <= record.started_at
