"""What is written to the journal: the events and their codec.

A segment is NDJSON: a :class:`Header`, then one event a line. The structs are frozen; what a
struct does not know is left out of its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from z4j_django.values import FIRST_MOMENT, LAST_MOMENT

#: Version of the journal's lines. A reader leaves newer ones to a newer reader.
SCHEMA: Final = 3

TASK_SENT: Final = "task_sent"
TASK_RECEIVED: Final = "task_received"
TASK_STARTED: Final = "task_started"
TASK_PROGRESS: Final = "task_progress"
TASK_SUCCEEDED: Final = "task_succeeded"
TASK_FAILED: Final = "task_failed"
TASK_RETRY: Final = "task_retry"
TASK_REVOKED: Final = "task_revoked"
TASK_REJECTED: Final = "task_rejected"
TASK_IGNORED: Final = "task_ignored"
WORKER_ONLINE: Final = "worker_online"
WORKER_HEARTBEAT: Final = "worker_heartbeat"
WORKER_OFFLINE: Final = "worker_offline"

#: What a beat has in the place of a worker's pool: it is heard of as a worker is.
BEAT: Final = "beat"

#: A line with a time that is none can't be read.
Moment = Annotated[float, msgspec.Meta(ge=FIRST_MOMENT, le=LAST_MOMENT)]

NULL: Final = msgspec.Raw(b"null")
EMPTY: Final = msgspec.Raw(b"{}")


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line of a segment: what all of its events have in common."""

    schema: int
    project: str
    host: str
    pid: int
    #: Of the project's code, as far as the process knows.
    release: str = ""


#: What Celery calls a group or chord in the place of a task. It publishes none of these names.
GROUP: Final = "celery.group"
CHORD: Final = "celery.chord"
GROUPS: Final = (GROUP, CHORD)


class Step(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A task that is known from the message which embeds it, before it is published itself.

    The body of a chord may be a group or chord. Such a step has its name, and for ``task_id`` the
    id of the group; empty, where Celery will choose it only when it is published.
    """

    task_id: str
    name: str = ""
    group_id: str = ""
    group_index: int | None = None
    #: The body of the chord that the step feeds.
    chord: Step | None = None
    #: As of a message.
    retry_of: str = ""
    operation: int | None = None
    #: Of a group or chord: how many members it has, and the first of them.
    size: int = 0
    members: Sequence[Step] = ()
    #: As of a message.
    rest: Sequence[Step] = ()

    @property
    def is_group(self) -> bool:
        """Whether it is a group or chord, and no task."""
        return self.name in GROUPS

    @property
    def is_member(self) -> bool:
        """Whether it belongs to the group that it names.

        The body of a chord names its own chord's group too, and has no place in it.
        """
        return bool(self.group_id) and (self.group_index is not None or self.chord is not None)


class Message(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The facts of a task message (Celery's task protocol, version 2)."""

    name: str = ""
    queue: str = ""
    exchange: str = ""
    routing_key: str = ""
    priority: int | None = None
    #: ISO 8601, as in the message's headers.
    eta: str = ""
    expires: str = ""
    root_id: str = ""
    parent_id: str = ""
    group_id: str = ""
    group_index: int | None = None
    schedule: str = ""
    origin: str = ""
    args: msgspec.Raw = NULL
    kwargs: msgspec.Raw = NULL
    #: Names of the positional arguments, where the task's signature is known.
    params: Sequence[str] = ()
    #: Whether ``args`` and ``kwargs`` are all there, named, and nothing but plain data.
    complete: bool = False
    chord: Step | None = None
    #: The steps of the rest of the chain that belong to a group.
    chain: Sequence[Step] = ()
    #: Ids and names of the first steps of the rest of the chain, the next one first.
    rest: Sequence[Step] = ()
    #: The task that this one retries, where an operator asked for it; and the number of the
    #: operation that published it.
    retry_of: str = ""
    operation: int | None = None
    #: What the publisher chose to be shown in the place of ``args`` and ``kwargs``, which are
    #: left out then.
    argsrepr: str = ""
    kwargsrepr: str = ""
    #: The header of that name, where it is a valid one.
    traceparent: str = ""

    @property
    def is_member(self) -> bool:
        """As of a step."""
        return bool(self.group_id) and (self.group_index is not None or self.chord is not None)


class Original(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A message as the broker delivered it: what publishing it once more needs."""

    #: Bytes of the body; at least so many, where the body is not kept.
    size: int
    #: In the serializer's own bytes, uncompressed; empty where it is larger than is kept.
    body: bytes = b""
    content_type: str = ""
    content_encoding: str = ""
    #: All but our own; a header ``compression`` names what the body was compressed with.
    headers: msgspec.Raw = EMPTY
    #: The publisher's: ``correlation_id``, ``reply_to``, ``priority``, ``expiration`` and so on.
    properties: msgspec.Raw = EMPTY
    exchange: str = ""
    routing_key: str = ""
    #: Headers and properties that JSON can't hold exactly, or that are too large.
    left_out: Sequence[str] = ()


class Failure(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An exception, as text."""

    type: str
    message: str = ""
    traceback: str = ""


class Progress(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How far a running task says it is."""

    current: float | None = None
    total: float | None = None
    text: str = ""


class TaskEvent(
    msgspec.Struct, frozen=True, omit_defaults=True, gc=False, tag_field="of", tag="task"
):
    """Something that happened to a task."""

    kind: str
    task_id: str
    #: Seconds since the epoch.
    at: Moment
    name: str = ""
    retries: int = 0
    #: How often the task has replaced itself (``Task.replace``).
    nesting: int = 0
    worker: str = ""
    #: Of a run, which has no message: the queue that it came from.
    queue: str = ""
    message: Message | None = None
    #: Of a receipt, where originals are kept.
    original: Original | None = None
    #: When the message was published, as its ``z4j`` header says.
    sent_at: Moment | None = None
    #: Seconds; and those that its worker lets it run, of a receipt.
    runtime: float | None = None
    time_limit: int | None = None
    result: msgspec.Raw = NULL
    failure: Failure | None = None
    progress: Progress | None = None
    #: Whether the message went back to the queue, or may: a rejection or a purge that is no end,
    #: or the send of what was purged.
    requeued: bool = False
    detail: str = ""
    #: Whether a bystander heard of it by Celery's own events: it knows less than who was there.
    observed: bool = False


class WorkerEvent(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="of", tag="worker"):
    """Something that happened to a worker."""

    kind: str
    hostname: str
    at: Moment
    pool: str = ""
    concurrency: int | None = None
    queues: Sequence[str] = ()
    version: str = ""
    #: As for a task; then ``pid`` is the worker's process, where the event says it.
    observed: bool = False
    pid: int | None = None


class SampledEvent(
    msgspec.Struct, frozen=True, omit_defaults=True, gc=False, tag_field="of", tag="sampled"
):
    """A task that came to a good end, and that a sample leaves out: it counts, and no more."""

    name: str
    #: When it ended.
    at: Moment


class LogLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a task wrote to a logger."""

    at: Moment
    level: str
    logger: str
    text: str


class LogEvent(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="of", tag="log"):
    """The newest lines of an attempt's log: they take the place of those told before."""

    task_id: str
    at: Moment
    retries: int = 0
    nesting: int = 0
    lines: Sequence[LogLine] = ()
    #: Lines before these, which were more than is kept.
    dropped: int = 0


class LossEvent(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="of", tag="loss"):
    """Events that are on record nowhere; so that silence is not taken for health."""

    #: One of the reasons below.
    reason: str
    count: int
    at: Moment
    detail: str = ""


Event = TaskEvent | WorkerEvent | SampledEvent | LogEvent | LossEvent

#: A process could not write them.
UNWRITTEN: Final = "unwritten"
#: A line of a segment was torn, or is no event.
UNREADABLE: Final = "unreadable"
#: The sink can't take them, now or later; they are in the file of dead events.
UNSTORABLE: Final = "unstorable"
#: What stands in the place of a text that a store refused, as a placeholder of the record.
REFUSED: Final = "… (could not be stored)"
#: The journal was full while the sink was away.
OVER_CAP: Final = "over the cap"

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Event)
_header_decoder = msgspec.json.Decoder(Header)


def encode(line: Header | Event) -> bytes:
    """One journal line, its newline included."""
    try:
        return _encode(line) + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, as in a file name that is no UTF-8
        return _encode(_without_surrogates(line)) + b"\n"


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, (list, tuple)):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, msgspec.Struct):
        fields = value.__struct_fields__
        return type(value)(**{name: _without_surrogates(getattr(value, name)) for name in fields})
    return value


def bared(event: Event) -> Event:
    """An event without the texts that a store refused: what happened to what, and when."""
    if isinstance(event, LossEvent):
        return LossEvent(event.reason, event.count, event.at, REFUSED)
    if isinstance(event, WorkerEvent):
        return msgspec.structs.replace(
            event, hostname=_plain(event.hostname), pool="", queues=(), version=""
        )
    if isinstance(event, SampledEvent):
        return SampledEvent(_plain(event.name), event.at)
    if isinstance(event, LogEvent):
        lines = [LogLine(line.at, _plain(line.level), "", REFUSED) for line in event.lines]
        return msgspec.structs.replace(event, task_id=_plain(event.task_id), lines=lines)
    message, failure, progress = event.message, event.failure, event.progress
    return msgspec.structs.replace(
        event,
        task_id=_plain(event.task_id),
        name=_plain(event.name),
        worker=_plain(event.worker),
        queue=_plain(event.queue),
        message=message and _bared_message(message),
        original=None,
        result=NULL if event.result == NULL else _encode_raw(REFUSED),
        failure=failure and Failure(_plain(failure.type), REFUSED),
        progress=progress and Progress(progress.current, progress.total, REFUSED),
        detail=REFUSED if event.detail else "",
    )


def _bared_message(message: Message) -> Message:
    return Message(
        name=_plain(message.name),
        queue=_plain(message.queue),
        eta=_plain(message.eta),
        expires=_plain(message.expires),
        root_id=_plain(message.root_id),
        parent_id=_plain(message.parent_id),
        group_id=_plain(message.group_id),
        group_index=message.group_index,
        args=_encode_raw([REFUSED]),
        retry_of=_plain(message.retry_of),
        operation=message.operation,
        traceparent=_plain(message.traceparent),
    )


def _plain(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def _encode_raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encode(value))


def decode_header(line: bytes) -> Header:
    """The header in a segment's first line.

    Raises:
        msgspec.MsgspecError: If it is none.
    """
    return _header_decoder.decode(line)


def decode(data: bytes) -> tuple[list[Event], int]:
    """The events in whole lines of a segment.

    Args:
        data: Any number of lines, each with its newline.

    Returns:
        The events, and how many lines could not be read: a line is torn where a disk was full.
    """
    try:
        return _decoder.decode_lines(data), 0
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    events: list[Event] = []
    skipped = 0
    for line in data.splitlines():
        try:
            events.append(_decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            skipped += 1
    return events, skipped
