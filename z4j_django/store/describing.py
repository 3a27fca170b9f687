"""What one message and one event say, written into a task's row: bounded, masked, displayable."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from z4j_django import states
from z4j_django.agent import events, traces
from z4j_django.secrets import masking, placeholders, redaction
from z4j_django.store.rows import TaskRow
from z4j_django.values import SHORT, as_json, clean, identifier, moment

#: Characters of an exception's message and of its traceback, masked.
MESSAGE: Final = 4_000
TRACEBACK: Final = 20_000
#: Retries are numbers of the database.
RETRIES: Final = 2**31 - 1

_STATE_OF: Final = {
    events.TASK_RECEIVED: states.RECEIVED,
    events.TASK_STARTED: states.STARTED,
    events.TASK_PROGRESS: states.STARTED,
    events.TASK_SUCCEEDED: states.SUCCESS,
    events.TASK_FAILED: states.FAILURE,
    events.TASK_RETRY: states.RETRY,
    events.TASK_REVOKED: states.REVOKED,
    events.TASK_REJECTED: states.REJECTED,
    events.TASK_IGNORED: states.IGNORED,
}


def state_of(kind: str, has_retries: bool) -> str:
    """The state that an event leaves its task in."""
    if kind == events.TASK_SENT:
        return states.RETRY if has_retries else states.PENDING
    return _STATE_OF.get(kind, states.PENDING)


def write_facts(row: TaskRow, message: events.Message, rules: masking.Rules) -> None:
    """Write down what a message says of its task."""
    row.name = clean(message.name)
    row.queue = clean(message.queue)
    row.exchange = clean(message.exchange)
    row.routing_key = clean(message.routing_key)
    row.priority = message.priority
    row.root_id = identifier(message.root_id)
    row.parent_id = identifier(message.parent_id)
    row.group_id = identifier(message.group_id) if message.is_member else ""
    row.group_index = message.group_index
    row.chord_id = identifier(message.chord.task_id) if message.chord else ""
    row.next_steps = None
    if message.rest:
        steps = [[identifier(step.task_id), clean(step.name)] for step in message.rest]
        row.next_steps = as_json(steps)
    row.schedule = clean(message.schedule)
    row.origin = clean(message.origin)
    row.retry_of = identifier(message.retry_of)
    operation = message.operation
    row.operation = operation if operation is not None and 0 < operation < 2**63 else None
    row.trace_id, row.parent_span_id = traces.ids(message.traceparent)
    args, kwargs = _decoded(message.args), _decoded(message.kwargs)
    row.args = row.kwargs = None
    if message.argsrepr:
        shown = redaction.redact_text(message.argsrepr, MESSAGE, rules)
        row.args = as_json(placeholders.chosen_args(shown))
    elif isinstance(args, list):
        row.args = as_json(redaction.redact_args(args, message.params, rules=rules))
    if message.kwargsrepr:
        shown = redaction.redact_text(message.kwargsrepr, MESSAGE, rules)
        row.kwargs = as_json(placeholders.chosen_kwargs(shown))
    elif isinstance(kwargs, dict):
        row.kwargs = as_json(redaction.redact(kwargs, rules=rules))


def write_state(
    row: TaskRow, event: events.TaskEvent, pid: int | None, rules: masking.Rules
) -> None:
    """Write down the state that an event leaves its task in, and what belongs to it."""
    row.state = state = state_of(event.kind, bool(event.retries))
    row.retries = min(max(event.retries, 0), RETRIES)
    row.worker = clean(event.worker)
    row.pid = None if event.kind == events.TASK_SENT or event.observed else pid
    row.finished_at = moment(event.at) if state in states.FINISHED else None
    row.runtime = event.runtime
    row.result = None
    if state == states.SUCCESS and not event.observed:
        row.result = as_json(redaction.redact(_decoded(event.result), rules=rules))
    row.exception_type = row.exception_message = row.traceback = ""
    if failure := event.failure:
        row.exception_type = clean(failure.type)
        row.exception_message = redaction.redact_text(failure.message, MESSAGE, rules)
        row.traceback = redaction.redact_text(failure.traceback, TRACEBACK, rules)
    if state == states.REVOKED:
        row.exception_message = redaction.redact_text(event.detail, SHORT, rules)


def progress(told: events.Progress, rules: masking.Rules) -> str:
    """How far a task says it is."""
    text = redaction.redact_text(told.text, SHORT, rules)
    return as_json({"current": told.current, "total": told.total, "text": text})


def detail(event: events.TaskEvent, rules: masking.Rules) -> str:
    """What the timeline says beside the kind."""
    line = event.detail
    if event.failure is not None:
        line = f"{event.failure.type}: {event.failure.message}".removesuffix(": ")
    return redaction.redact_text(line, SHORT, rules) if line else ""


def _decoded(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
