"""The rows of a batch: what it tells of each task, group and worker."""

from __future__ import annotations

from typing import Final

import msgspec

from z4j_django import states
from z4j_django.values import TIME_BITS

#: The order of facts that nobody has told.
NO_FACTS: Final = 2**63 - 1
#: The facts of any message, cut or whole, come before this order; a name is no news to them.
NAMED: Final = 255 << (3 + TIME_BITS)


class TaskRow(msgspec.Struct, gc=False, omit_defaults=True):
    """A task as far as a batch tells of it. Times are seconds since the epoch."""

    project: str
    task_id: str
    attempt: int = -1
    state_order: int = -1
    facts_order: int = NO_FACTS
    # facts
    name: str = ""
    queue: str = ""
    exchange: str = ""
    routing_key: str = ""
    priority: int | None = None
    args: str | None = None
    kwargs: str | None = None
    root_id: str = ""
    parent_id: str = ""
    group_id: str = ""
    group_index: int | None = None
    chord_id: str = ""
    next_steps: str | None = None
    schedule: str = ""
    origin: str = ""
    retry_of: str = ""
    operation: int | None = None
    trace_id: str = ""
    parent_span_id: str = ""
    # moments
    sent_at: float | None = None
    received_at: float | None = None
    started_at: float | None = None
    eta: float | None = None
    expires: float | None = None
    time_limit: int | None = None
    progress: str | None = None
    progress_at: float | None = None
    # state
    state: str = states.PENDING
    retries: int = 0
    worker: str = ""
    pid: int | None = None
    finished_at: float | None = None
    runtime: float | None = None
    result: str | None = None
    exception_type: str = ""
    exception_message: str = ""
    traceback: str = ""
    release: int | None = None
    error: int | None = None
    # counted
    deliveries: int = 0


class GroupRow(msgspec.Struct):
    """A group as far as a batch tells of it."""

    project: str
    group_id: str
    kind: str = "group"
    size: int = 0
    body_id: str = ""
    body_name: str = ""
    root_id: str = ""
    first_seen: float = 0.0


class WorkerRow(msgspec.Struct):
    """A worker as far as a batch tells of it."""

    project: str
    hostname: str
    state_order: int = -1
    online: bool = False
    pid: int | None = None
    pool: str = ""
    concurrency: int | None = None
    queues: str = "[]"
    version: str = ""
    started_at: float | None = None
    last_seen: float | None = None
    stopped_at: float | None = None


class TimelineRow(msgspec.Struct, gc=False, omit_defaults=True):
    """One event, for the timeline."""

    project: str
    task_id: str
    kind: str
    at: float
    retries: int = 0
    worker: str = ""
    pid: int | None = None
    detail: str = ""


class PayloadRow(msgspec.Struct):
    """The sealed message of a task."""

    project: str
    task_id: str
    sealed: bytes
    size: int
    created_at: float


class LossRow(msgspec.Struct):
    """Events that are on record nowhere."""

    project: str
    host: str
    reason: str
    count: int
    at: float
    detail: str = ""


class DeltaRow(msgspec.Struct):
    """What one batch adds to the statistics of a project."""

    project: str
    counts: bytes


class CursorRow(msgspec.Struct):
    """How far a segment is stored, and how many of its lines could not be read."""

    segment: str
    offset: int
    skipped: int


class JournalRow(msgspec.Struct):
    """How a journal stands. Times are seconds since the epoch."""

    host: str
    directory: str
    pid: int
    segments: int
    size: int
    pending: int
    oldest: float | None
    seen_at: float
    limit: int | None
    free: int | None
