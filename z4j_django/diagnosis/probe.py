"""Sends a task that does nothing, and watches its record come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

from z4j_django import conf, control, states
from z4j_django.diagnosis import records
from z4j_django.diagnosis.findings import Finding, Visit, error, ok, reason, warning
from z4j_django.models import TaskRecord
from z4j_django.models.primary import primary

#: Seconds between two looks at the record.
_LOOK: Final = 0.1

_LOOK_ABOVE: Final = "Mend what the lines above say, and run this again."


def probe(visit: Visit) -> Iterator[Finding]:
    """Whether a task's record comes, and how far."""
    if not visit.probe:
        return
    hindrance = _hindrance(visit)
    if hindrance:
        yield warning(f"No probe was sent: {hindrance}.", _LOOK_ABOVE)
        return
    queue = control.probe_queue(visit.app)
    begun = time.monotonic()
    try:
        task_id = control.send_probe(visit.app, visit.timeout)
    except Exception as problem:  # whatever a transport raises
        yield error(
            f"A probe could not be sent to the queue {queue}: {reason(problem)}",
            "Other tasks can't be sent either: see to the broker and to the queue's settings.",
        )
        return
    record = _watch(task_id, visit.timeout)
    if record is not None and record.state == states.PENDING:
        control.record_expired_probe(task_id)
    yield _judge(record, task_id, queue, time.monotonic() - begun, visit)


def _hindrance(visit: Visit) -> str:
    """Why a probe could not be seen."""
    if visit.app is None:
        return "the Celery app was not found"
    if not visit.broker:
        return "the broker was not reached"
    if not visit.database:
        return "its record could not be read"
    if visit.directory is None:
        return "the journal directory can't be used"
    if conf.settings.enabled is False:
        return "nothing is recorded"
    return ""


def _watch(task_id: str, seconds: float) -> TaskRecord | None:
    """The record once it has ended, or as it stands when the time is over."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds

    def ask() -> TaskRecord | None:
        found = primary(TaskRecord).filter(project=conf.settings.PROJECT, task_id=task_id)
        return found.only("id", "state", "worker", "sent_at", "received_at", "started_at").first()

    while True:
        record = records.read(seconds, ask)
        if record is not None and record.state in states.FINISHED:
            return record
        if time.monotonic() > deadline:
            return record
        pause.wait(_LOOK)


def _judge(
    record: TaskRecord | None, task_id: str, queue: str, seconds: float, visit: Visit
) -> Finding:
    probe = f"The probe {task_id} ({control.PROBE_TASK}, queue {queue})"
    if record is None:
        said = f" The log says: {visit.log[-1]}" if visit.log else ""
        return error(
            f"{probe} was sent, and no record of it came within {seconds:.1f} s.{said}",
            "See who ships the journal, above, and read the shipper's log.",
        )
    if record.state == states.SUCCESS:
        return ok(
            f"{probe} was sent, received and finished on {record.worker}; its record was there "
            f"after {seconds:.1f} s."
        )
    if record.state in states.FINISHED:
        return warning(f"{probe} ended in {record.state}.", "Read its record in the admin.")
    if record.received_at is not None:
        return warning(
            f"{probe} was received by {record.worker}, and did not finish within {seconds:.1f} s.",
            "The worker is busy, or its pool is stuck. The record comes as far as the task does.",
        )
    if record.sent_at is None:
        return warning(
            f"{probe} is on record by its worker, but not its sending.",
            "See that this command writes to the same journal as the site.",
        )
    return warning(
        f"{probe} is on record as sent; no worker received it within {seconds:.1f} s.",
        f"Start a worker that consumes the queue {queue} and has z4j_django in INSTALLED_APPS. "
        "The probe has expired by itself.",
    )
