"""Events and facts, read from messages and contexts that anybody may have written."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from types import MappingProxyType
from typing import Any, Final

import msgspec
from celery._state import get_current_app
from kombu.entity import Exchange

from z4j_django.agent import addresses, chosen_reprs, embedded_steps, events, parameters, traces
from z4j_django.agent.encoding import encode_value
from z4j_django.agent.sampling import ALL, FAILURES, NOTHING

#: The message header that carries the time of publishing to the worker.
HEADER: Final = "z4j"
#: Characters of one header.
TEXT: Final = 1_024
_NO_STAMP: Final[Mapping[str, Any]] = MappingProxyType({})
#: Headers that show the arguments.
_REPRS: Final = ("argsrepr", "kwargsrepr")
_NO_ARGS: Final = msgspec.Raw(b"[]")
_NO_KWARGS: Final = msgspec.Raw(b"{}")

Get = Callable[..., Any]
#: ``args``, ``kwargs``, ``params``, ``complete``, ``chord``, ``chain``, ``rest``, ``argsrepr`` and
#: ``kwargsrepr`` of a message.
_Content = tuple[
    msgspec.Raw,
    msgspec.Raw,
    Sequence[str],
    bool,
    events.Step | None,
    Sequence[events.Step],
    Sequence[events.Step],
    str,
    str,
]
_NOT_HERE: Final[_Content] = (events.NULL, events.NULL, (), False, None, (), (), "", "")


class Run(msgspec.Struct, frozen=True, gc=False):
    """A task that runs in this process."""

    start: events.TaskEvent
    #: The monotonic clock at its start, which no one sets back.
    clock: float
    #: What of it to record.
    keep: str
    #: The thread that runs it, or the green one.
    thread: int


def delivered(
    kind: str,
    headers: dict[str, Any],
    delivery: dict[str, Any],
    *,
    at: float,
    worker: str = "",
    sent_at: float | None = None,
    stamped: dict[str, Any] | None = None,
    content: tuple[Any, Any, Any] | None = None,
    original: events.Original | None = None,
    time_limit: int | None = None,
    failure: events.Failure | None = None,
    requeued: bool = False,
    detail: str = "",
) -> events.TaskEvent:
    """An event of a message that reached a worker."""
    get = headers.get
    name = text(get("task"))
    exchange, routing_key = delivery.get("exchange"), delivery.get("routing_key")
    return events.TaskEvent(
        kind=kind,
        task_id=text(headers["id"]),
        at=at,
        name=name,
        retries=number(get("retries")) or 0,
        nesting=number(get("replaced_task_nesting")) or 0,
        worker=worker,
        message=message(
            get,
            name=name,
            exchange=exchange,
            routing_key=routing_key,
            queue=consumed_queue(exchange, routing_key),
            priority=delivery.get("priority"),
            content=content,
            stamped=stamp(headers) if stamped is None else stamped,
        ),
        original=original,
        time_limit=time_limit,
        sent_at=sent_at,
        failure=failure,
        requeued=requeued,
        detail=detail,
    )


def refused(message: Any, worker: str, failure: events.Failure) -> events.TaskEvent:
    """A rejection by a worker that can't make a task of a message of kombu's."""
    headers = message.headers if "id" in message.headers else message.payload
    stamped = stamp(message.headers)
    return delivered(
        events.TASK_REJECTED,
        headers,
        message.delivery_info or {},
        at=time.time(),
        worker=worker,
        sent_at=moment(stamped, "at"),
        stamped=stamped,
        failure=failure,
    )


def of_run(
    kind: str,
    at: float,
    task_id: str,
    task: Any,
    request: Any,
    message: events.Message | None = None,
) -> events.TaskEvent:
    """An event of a task that runs, or ran: which attempt, and where, its context tells."""
    return events.TaskEvent(
        kind=kind,
        task_id=text(task_id),
        at=at,
        name=task.name,
        retries=number(request.retries) or 0,
        nesting=number(request.replaced_task_nesting) or 0,
        worker="" if request.is_eager else _node(request),
        queue=_came_from(request.delivery_info),
        message=message,
    )


def _came_from(delivery: Any) -> str:
    """The queue of a delivery, as its context has it; of what is applied in place there is none."""
    if type(delivery) is not dict:
        return ""
    return consumed_queue(delivery.get("exchange"), delivery.get("routing_key"))


def _node(request: Any) -> str:
    """The worker's name: in an embedded worker, a run's context has the machine's alone."""
    name = text(request.hostname)
    return name if "@" in name else text(stamp(request.__dict__).get("worker")) or name


def eager(task: Any, request: Any) -> events.Message:
    """The facts of a task that is applied in place, without a message."""
    content = (request.args, request.kwargs, request.__dict__)
    return message(request.get, name=task.name, content=content)


def message(
    get: Get,
    *,
    name: str,
    exchange: Any = None,
    routing_key: Any = None,
    queue: str = "",
    priority: Any = None,
    content: tuple[Any, Any, Any] | None = None,
    stamped: Mapping[str, Any] = _NO_STAMP,
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
        stamped: What its ``z4j`` header says.
    """
    args, kwargs, params, complete, chord, chain, rest, argsrepr, kwargsrepr = (
        _NOT_HERE if content is None else _content(get, stamped, name, *content)
    )
    # Most headers are None most of the time: they cost nothing but the look. By position, in the
    # struct's order: so many by name would be collected in a dict first.
    return events.Message(
        name,
        queue,
        exchange_name(exchange) if exchange else "",
        text(routing_key),
        number(priority),
        text(value) if (value := get("eta")) is not None else "",
        text(value) if (value := get("expires")) is not None else "",
        text(value) if (value := get("root_id")) is not None else "",
        text(value) if (value := get("parent_id")) is not None else "",
        text(value) if (value := get("group")) is not None else "",
        number(value) if (value := get("group_index")) is not None else None,
        _schedule(get, stamped),
        text(value) if (value := get("origin")) is not None else "",
        args,
        kwargs,
        params,
        complete,
        chord,
        chain,
        rest,
        text(stamped["retry_of"]) if "retry_of" in stamped else "",
        _key(stamped["operation"]) if "operation" in stamped else None,
        argsrepr,
        kwargsrepr,
        traces.header(get),
    )


def _schedule(get: Get, stamped: Mapping[str, Any]) -> str:
    """The entry of the schedule that published it, as django-celery-beat says, or our own stamp."""
    if (value := get("periodic_task_name")) is None:
        value = stamped.get("schedule")
    return text(value) if value is not None else ""


def _content(
    get: Get, stamped: Mapping[str, Any], name: str, args: Any, kwargs: Any, embed: Any
) -> _Content:
    """What a message carries: arguments as JSON, and the steps of its workflow."""
    encoded_args, encoded_kwargs = _NO_ARGS, _NO_KWARGS
    params: Sequence[str] = ()
    complete = True
    chord: events.Step | None = None
    chain: Sequence[events.Step] = ()
    argsrepr = kwargsrepr = ""
    rest: Sequence[events.Step] = ()
    if args:
        encoded_args, whole = encode_value(args)
        if argsrepr := _chosen(get, stamped, "argsrepr", args, encoded_args if whole else None):
            encoded_args = events.NULL
        else:
            params = parameters.names(name, len(args))
            complete = whole and bool(params)
    if kwargs:
        encoded_kwargs, whole = encode_value(kwargs)
        if kwargsrepr := _chosen(
            get, stamped, "kwargsrepr", kwargs, encoded_kwargs if whole else None
        ):
            encoded_kwargs = events.NULL
        else:
            complete = complete and whole
    if type(embed) is dict or isinstance(embed, Mapping):
        if embed.get("chord"):
            chord = embedded_steps.chord_body(embed)
        if embed.get("chain") or chord is not None:
            chain = embedded_steps.chain_members(embed)
            rest = embedded_steps.rest(embed)
    return encoded_args, encoded_kwargs, params, complete, chord, chain, rest, argsrepr, kwargsrepr


def _chosen(
    get: Get, stamped: Mapping[str, Any], header: str, value: Any, encoded: msgspec.Raw | None
) -> str:
    """What the publisher chose to be shown in the place of arguments; empty where nothing."""
    if "chosen" in stamped:
        return _texts(stamped["chosen"]).get(header, "")
    if type(shown := get(header)) is not str or not shown:
        return ""
    return text(shown) if chosen_reprs.is_chosen(shown, value, encoded) else ""


def _texts(found: Any) -> dict[str, str]:
    if type(found) is not dict:
        return {}
    return {name: shown for name in _REPRS if (shown := text(found.get(name)))}


def stamp(headers: dict[str, Any]) -> dict[str, Any]:
    """What the publisher stamped on the message, where it runs an agent too.

    Args:
        headers: Of task protocol 2; or a protocol 1 body, with the headers inside.
    """
    found = headers.get(HEADER)
    if found is None and type(inner := headers.get("headers")) is dict:
        found = inner.get(HEADER)
    return found if type(found) is dict else {}


def origin_of(stamped: dict[str, Any]) -> dict[str, Any]:
    """What a stamp says of where a message comes from, for its next stamp.

    That is what it retries, which operation or entry of a schedule published it, and how its
    arguments are to be shown.
    """
    origin: dict[str, Any] = {}
    if "retry_of" in stamped and (task_id := text(stamped["retry_of"])):
        origin["retry_of"] = task_id
    if "operation" in stamped and (key := _key(stamped["operation"])) is not None:
        origin["operation"] = key
    if "chosen" in stamped and (chosen := _texts(stamped["chosen"])):
        origin["chosen"] = chosen
    if "schedule" in stamped and (schedule := text(stamped["schedule"])):
        origin["schedule"] = schedule
    return origin


def chosen(message: events.Message | None) -> dict[str, Any]:
    """What a stamp says of how a message's arguments are shown: also that nothing is hidden."""
    if message is None:
        return {}
    return {"chosen": {name: shown for name in _REPRS if (shown := getattr(message, name))}}


def kept(stamped: dict[str, Any]) -> str:
    """What to record of the task whose message was stamped so."""
    keep = stamped.get("keep", ALL)
    return FAILURES if keep == FAILURES else NOTHING if keep == NOTHING else ALL


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


def seconds(value: Any) -> int | None:
    """A time limit, rounded up, where it is one."""
    if isinstance(value, (int, float)) and value is not True and 0 < value < 2**31:
        return ceil(value)
    return None


def number(value: Any) -> int | None:
    """A header that should be an integer of the database's size."""
    return value if type(value) is int and -(2**31) <= value < 2**31 else None


def _key(value: Any) -> int | None:
    """A number of a row, if it is one."""
    return value if type(value) is int and 0 < value < 2**63 else None


def published_queue(declare: Any, exchange: Any, routing_key: Any) -> str:
    """The queue of a publish: what it declares, if it goes there, else what its address means.

    Celery declares a queue whatever the key is; in exchanges of other types than these, none leads.
    """
    queue = declare[0] if exchange and declare else None
    bound_to, name = getattr(queue, "exchange", None), exchange_name(exchange)
    found = ""
    if queue is not None and bound_to is not None and bound_to.name == name:
        if bound_to.type not in ("direct", "topic"):
            return text(queue.name)
        found = text(addresses.queue_at({queue.name: queue}, name, text(routing_key)))
    return found or consumed_queue(exchange, routing_key)


def consumed_queue(exchange: Any, routing_key: Any) -> str:
    """The queue that a delivery came from, as far as its address tells."""
    if not exchange:
        return text(routing_key)
    name, key = exchange_name(exchange), text(routing_key)
    return text(addresses.queue_at(get_current_app().amqp.queues, name, key))


def exchange_name(exchange: Any) -> str:
    """The name of an exchange; a publish may have the exchange itself."""
    return text(exchange.name if isinstance(exchange, Exchange) else exchange)
