"""The message that a task came with; or why there is none."""

from __future__ import annotations

from z4j_django import states
from z4j_django.agent import events
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError, SealError
from z4j_django.models import GroupRecord, TaskPayload, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.queries import tasks
from z4j_django.secrets import sealing


def record_of(project: str, task_id: str) -> TaskRecord:
    """What is on record of a task, without its large columns.

    Raises:
        OperationError: If nothing is.
    """
    of_id = primary(TaskRecord).filter(project=project, task_id=task_id)
    return found(tasks.summaries(of_id).first(), project, task_id)


def found(record: TaskRecord | None, project: str, task_id: str) -> TaskRecord:
    """``record`` of this task, if there is one.

    Raises:
        OperationError: If not.
    """
    if record is None:
        raise OperationError(_why_unknown(project, task_id))
    return record


def in_words(record: TaskRecord) -> str:
    """The state that a task was found in, and where."""
    at_work = record.state in (states.RECEIVED, states.STARTED, states.RETRY)
    where = f" on {record.worker}" if at_work and record.worker else ""
    return f"{record.state}{where}"


def find(project: str, task_id: str) -> events.Original:
    """The message that a task came with, as the broker delivered it at first.

    Args:
        project: Whose task it is.
        task_id: Its id.

    Raises:
        OperationError: If there is none that could be published again; the message says why.
    """
    payload = primary(TaskPayload).filter(project=project, task_id=task_id).first()
    if payload is None:
        raise OperationError(_why_missing(record_of(project, task_id)))
    if not payload.sealed:
        raise OperationError(
            f"Its message was not kept: its body has {payload.size:,} bytes, and "
            f"Z4J['PAYLOAD_MAX_BYTES'] is {settings.PAYLOAD_MAX_BYTES:,} now."
        )
    try:
        return sealing.open_sealed(bytes(payload.sealed), sealing.task_context(project, task_id))
    except SealError as error:
        raise OperationError(str(error)) from error


def _why_unknown(project: str, task_id: str) -> str:
    group = primary(GroupRecord).filter(project=project, group_id=task_id).first()
    if group is None:
        return "No task of this id is on record."
    return f"It is no task but a {group.kind}: act on its members, or retry the group."


def _why_missing(record: TaskRecord) -> str:
    found = f"The task is {in_words(record)}."
    if settings.PAYLOAD == "off":
        return f"Z4J['PAYLOAD'] is \"off\": no message is kept, so none can be sent again. {found}"
    if record.received_at is None:
        return f"Its message is not on record: no worker with this app has received it. {found}"
    return (
        f"Its message is not on record: it came before messages were kept, "
        f"or has been pruned since. {found}"
    )
