"""Events and facts, read from messages and contexts that anybody may have written."""

from __future__ import annotations

import functools
import inspect
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from celery._state import get_current_app

from z4j_django.agent import canvas, events
from z4j_django.agent.encoding import encode_value
from z4j_django.agent.sampling import ALL, FAILURES, NOTHING

#: The message header that carries the time of publishing to the worker.
HEADER: Final = "z4j"
#: Characters of one header.
TEXT: Final = 1_024
#: Tasks whose parameter names are remembered.
_KNOWN_TASKS: Final = 4_096

#: Fields of a message, and their headers in task protocol 2 (``periodic_task_name``: beat's).
_TEXTS: Final = (
    ("eta", "eta"),
    ("expires", "expires"),
    ("root_id", "root_id"),
    ("parent_id", "parent_id"),
    ("group_id", "group"),
    ("schedule", "periodic_task_name"),
    ("origin", "origin"),
)
_NO_ARGS: Final = msgspec.Raw(b"[]")
_NO_KWARGS: Final = msgspec.Raw(b"{}")

Get = Callable[..., Any]


def delivered(
    kind: str,
    headers: dict[str, Any],
    delivery: dict[str, Any],
    *,
    content: tuple[Any, Any, Any] | None = None,
    **fields: Any,
) -> events.TaskEvent:
    """An event of a message that reached a worker."""
    name = text(headers.get("task"))
    exchange, routing_key = delivery.get("exchange"), delivery.get("routing_key")
    return events.TaskEvent(
        kind=kind,
        task_id=text(headers["id"]),
        name=name,
        retries=number(headers.get("retries")) or 0,
        nesting=number(headers.get("replaced_task_nesting")) or 0,
        message=message(
            headers.get,
            name=name,
            exchange=exchange,
            routing_key=routing_key,
            queue=consumed_queue(exchange, routing_key),
            priority=delivery.get("priority"),
            content=content,
        ),
        **fields,
    )


def of_run(
    kind: str, at: float, task_id: str, task: Any, request: Any, **fields: Any
) -> events.TaskEvent:
    """An event of a task that runs, or ran: which attempt, and where, its context tells."""
    return events.TaskEvent(
        kind=kind,
        at=at,
        task_id=text(task_id),
        name=task.name,
        retries=number(request.retries) or 0,
        nesting=number(request.replaced_task_nesting) or 0,
        worker="" if request.is_eager else text(request.hostname),
        **fields,
    )


def message(
    get: Get,
    *,
    name: str,
    exchange: Any = None,
    routing_key: Any = None,
    queue: str = "",
    priority: Any = None,
    content: tuple[Any, Any, Any] | None = None,
) -> events.Message:
    """The facts of a message.

    Args:
        get: Reads a header by its name in task protocol 2.
        name: The task's name.
        exchange: As it was published or delivered.
        routing_key: As it was published or delivered.
        queue: The queue's name, where it is known.
        priority: As it was published or delivered.
        content: Arguments, keyword arguments and embed, where they are to be recorded here.
    """
    facts: dict[str, Any] = {} if content is None else _content(name, *content)
    # Most headers are None most of the time: they cost nothing but the look.
    for field, header in _TEXTS:
        if (value := get(header)) is not None:
            facts[field] = text(value)
    return events.Message(
        name=name,
        queue=queue,
        exchange=text(exchange),
        routing_key=text(routing_key),
        priority=number(priority),
        group_index=number(get("group_index")),
        **facts,
    )


def _content(name: str, args: Any, kwargs: Any, embed: Any) -> dict[str, Any]:
    """What a message carries: arguments as JSON, and the steps of its workflow."""
    facts: dict[str, Any] = {"args": _NO_ARGS, "kwargs": _NO_KWARGS}
    complete = True
    if args:
        facts["args"], complete = encode_value(args)
        facts["params"] = params = _parameter_names(name, len(args))
        complete = complete and bool(params)
    if kwargs:
        facts["kwargs"], whole = encode_value(kwargs)
        complete = complete and whole
    facts["complete"] = complete
    if isinstance(embed, Mapping):
        if embed.get("chord"):
            facts["chord"] = canvas.chord_body(embed)
        if embed.get("chain"):
            facts["chain"] = canvas.chain_members(embed)
    return facts


@functools.lru_cache(maxsize=_KNOWN_TASKS)
def _all_parameter_names(run: Any) -> Sequence[str]:
    try:
        parameters = inspect.signature(run).parameters.values()
    except (TypeError, ValueError):
        return ()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
    return tuple(names + rest)


def _parameter_names(name: str, count: int) -> Sequence[str]:
    """The names of a task's first ``count`` positional parameters, if the task is known here."""
    task = get_current_app()._tasks.get(name)  # not .tasks, which would finalise the app
    return _all_parameter_names(task.run)[:count] if task is not None else ()


def stamp(headers: dict[str, Any]) -> dict[str, Any]:
    """What the publisher stamped on the message, where it runs an agent too.

    Args:
        headers: Of task protocol 2; or a protocol 1 body, with the headers inside.
    """
    found = headers.get(HEADER) or (headers.get("headers") or {}).get(HEADER)
    return found if isinstance(found, dict) else {}


def kept(request: Any) -> str:
    """What to record of the task whose context this is."""
    keep = stamp(request.__dict__).get("keep", ALL)
    return keep if keep in (NOTHING, FAILURES) else ALL


def moment(stamped: dict[str, Any], key: str) -> float | None:
    """A time in a stamp: seconds since the epoch, if it is one."""
    value = stamped.get(key)
    return value if type(value) is float and 0.0 <= value < 1e11 else None


def text(value: Any) -> str:
    """A header that should be text."""
    if type(value) is str:
        return value if len(value) <= TEXT else value[:TEXT]
    if type(value) in (int, uuid.UUID):
        return str(value)
    return str.__str__(value)[:TEXT] if isinstance(value, str) else ""


def number(value: Any) -> int | None:
    """A header that should be an integer of the database's size."""
    return value if type(value) is int and -(2**31) <= value < 2**31 else None


def declared_queue(declare: Any) -> str:
    """The queue that a publish declares before it sends."""
    return text(getattr(declare[0], "name", "")) if declare else ""


def consumed_queue(exchange: Any, routing_key: Any) -> str:
    """The queue that a delivery came from, as far as its address tells."""
    if not exchange:
        return text(routing_key)
    for name, queue in get_current_app().amqp.queues.items():
        if queue.routing_key == routing_key and queue.exchange.name == exchange:
            return str(name)
    return ""
