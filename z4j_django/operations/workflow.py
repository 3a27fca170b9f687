"""Groups, chords and chains as plain data, put together again from the messages of their parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from z4j_django.agent import events, messages
from z4j_django.control import bodies
from z4j_django.exceptions import OperationError
from z4j_django.operations import signatures

Signature = dict[str, Any]

#: Headers of task protocol 2, which Celery writes anew. All others are the user's.
_CELERYS: Final = frozenset(
    {
        "lang",
        "task",
        "id",
        "shadow",
        "eta",
        "expires",
        "group",
        "group_index",
        "retries",
        "timelimit",
        "root_id",
        "parent_id",
        "argsrepr",
        "kwargsrepr",
        "origin",
        "ignore_result",
        "replaced_task_nesting",
        "stamped_headers",
        "stamps",
        "compression",
        messages.HEADER,
    }
)
#: Properties that the publisher chose, and that Celery takes as options.
_PROPERTIES: Final = ("priority", "delivery_mode", "type", "app_id", "user_id")
_MEMBERSHIP: Final = ("group_id", "group_index", "chord")
#: Signatures that are made of others, and are no task themselves.
_OF_TASKS: Final = ("chain", "group", "chord")


@dataclass(frozen=True)
class Message:
    """A task's message, opened.

    Attributes:
        task_id: Of the task that it was for.
        headers: All but ours.
        properties: The publisher's.
        serializer: kombu's name of it.
        exchange: Where it came from; empty for the default exchange.
        routing_key: Where it came from; of the default exchange, the queue.
        args: Its arguments.
        kwargs: Its keyword arguments.
        embed: Callbacks, chain and chord.
        queue: The queue that is declared when it is published again; none if empty.
    """

    task_id: str
    headers: dict[str, Any]
    properties: dict[str, Any]
    serializer: str
    exchange: str
    routing_key: str
    args: list[Any]
    kwargs: dict[str, Any]
    embed: dict[str, Any]
    queue: str = ""

    @property
    def name(self) -> str:
        """The task's name."""
        return str(self.headers.get("task"))

    @property
    def rest(self) -> list[Any]:
        """The steps of its chain that come after it, last step first, as Celery embeds them."""
        chain = self.embed.get("chain")
        return list(chain) if isinstance(chain, list | tuple) else []


@dataclass(frozen=True)
class Publishing:
    """What the signatures of one operation have in common.

    Attributes:
        operation: Its number.
        ids: New ids by old ones; an id that is kept stands for itself.
        replay_queue: Where replays go, if not where tasks go by default.
    """

    operation: int
    ids: dict[str, str]
    replay_queue: str | None = None

    def new(self, old: str) -> str:
        """The new id of a task or group."""
        return self.ids.setdefault(old, signatures.new_id())

    def mark(self, old: str) -> dict[str, Any]:
        """Our header on what is published in place of ``old``."""
        again = {"retry_of": old} if self.new(old) != old else {}
        return {messages.HEADER: {**again, "operation": self.operation}}


def opened(
    task_id: str,
    original: events.Original,
    body: tuple[list[Any], dict[str, Any], dict[str, Any]],
    serializer: str,
) -> Message:
    """A message and its decoded body.

    Raises:
        OperationError: If something of the message was not kept.
    """
    if original.left_out:
        raise OperationError(
            f"Its message had what could not be kept: {', '.join(original.left_out)}."
        )
    args, kwargs, embed = body
    return Message(
        task_id=task_id,
        headers=msgspec.json.decode(original.headers, type=dict[str, Any]),
        properties=msgspec.json.decode(original.properties, type=dict[str, Any]),
        serializer=serializer,
        exchange=original.exchange,
        routing_key=original.routing_key,
        args=args,
        kwargs=kwargs,
        embed=embed,
    )


def run(message: Message, publishing: Publishing) -> Signature:
    """A task again as its message says, and the rest of its chain after it."""
    embed = _renewed({**message.embed, "chord": None}, publishing)
    args, kwargs = message.args, message.kwargs
    if message.serializer == "json":  # as objects, so that Celery shows them like the first time
        args, kwargs = bodies.unmarked_inside(args), bodies.unmarked_inside(kwargs)
    first = _signature(message.name, args, kwargs, _options(message, embed))
    first["options"] |= {
        "task_id": publishing.new(message.task_id),
        "headers": {**_users_headers(message.headers), **publishing.mark(message.task_id)},
    }
    rest = embed.get("chain") or []
    return chain([first, *reversed(rest)]) if rest else first


def replay(task_id: str, name: str, publishing: Publishing) -> Signature:
    """A task that returns the stored result of ``task_id``.

    Args:
        task_id: Of a task that succeeded.
        name: Of our task that does it.
        publishing: What the signatures have in common.
    """
    options = {
        "task_id": publishing.new(task_id),
        "headers": publishing.mark(task_id),
        "ignore_result": False,
    }
    if publishing.replay_queue:
        options["queue"] = publishing.replay_queue
    return _signature(name, [task_id], {}, options)


def resumed(message: Message, name: str, publishing: Publishing) -> Signature:
    """The rest of a chain, after a step whose result stood."""
    rest = _renewed({"chain": message.rest}, publishing)["chain"]
    return chain([replay(message.task_id, name, publishing), *reversed(rest)])


def body(found: Mapping[str, Any], publishing: Publishing) -> Signature:
    """The body of a chord and what follows it, with fresh ids, and free of what enclosed them."""
    bare = {key: value for key, value in found.items() if key != "chord_size"}
    renewed: Signature = _renewed({"chord": bare}, publishing)["chord"]
    return renewed


def chain(tasks: list[Signature]) -> Signature:
    """A chain."""
    return _signature("celery.chain", [], {"tasks": tasks}, {}, "chain")


def group(group_id: str, tasks: list[Signature]) -> Signature:
    """A group; its id is new already."""
    return _signature("celery.group", [], {"tasks": tasks}, {"task_id": group_id}, "group")


def chord(group_id: str, tasks: list[Signature], its_body: Signature) -> Signature:
    """A chord; the id of its header is new already."""
    kwargs = {"kwargs": {}, "header": group(group_id, tasks), "body": its_body}
    # Celery takes the header apart, and gives it the chord's id.
    return _signature("celery.chord", [], kwargs, {"task_id": group_id}, "chord")


def member(its_chord: Signature) -> Signature:
    """A chord that is a member: what follows its body comes before the chord around it goes on."""
    its_body = its_chord["kwargs"]["body"]
    options = dict(its_body["options"])
    rest = options.pop("chain", None) or []
    kwargs = {**its_chord["kwargs"], "body": {**its_body, "options": options}}
    freed = {**its_chord, "kwargs": kwargs}
    return chain([freed, *reversed(rest)]) if rest else freed


def chord_body(message: Message, group_id: str) -> Mapping[str, Any] | None:
    """The body of the chord with this header, from the message of one of its members.

    Args:
        message: Of a member, or of an earlier step of a member that is a chain.
        group_id: The id of the header.
    """
    own = message.embed.get("chord")
    if message.headers.get("group") == group_id:
        return own if isinstance(own, Mapping) else None
    for signature in signatures.inside(message.embed):
        options = signature.get("options") or {}
        if options.get("group_id") == group_id and isinstance(options.get("chord"), Mapping):
            found: Mapping[str, Any] = options["chord"]
            return found
    return None


def carried(embed: Mapping[str, Any]) -> Iterator[str]:
    """The ids of the tasks and groups that a message carries along."""
    for signature in signatures.inside(embed):
        task_id = (signature.get("options") or {}).get("task_id")
        if isinstance(task_id, str):
            yield task_id


def steps(chain: Sequence[Any]) -> Iterator[str]:
    """The ids of a chain's own tasks: not those of a chord's header, nor of a group in it.

    Args:
        chain: Its signatures, in any order; that of a chord's body is one, too.
    """
    for signature in chain:
        options, kwargs = signature.get("options") or {}, signature.get("kwargs") or {}
        kind = signature.get("subtask_type")
        if kind == "chain":
            yield from steps(kwargs.get("tasks") or [])
        elif kind == "chord":
            yield from steps([kwargs["body"]] if kwargs.get("body") else [])
        elif kind != "group" and isinstance(options.get("task_id"), str):
            yield options["task_id"]
        yield from steps(options.get("chain") or [])


def after_chord(message: Message) -> Iterator[str]:
    """The ids of the body of the chord that a message's task feeds, and of what follows it."""
    body = message.embed.get("chord")
    return steps([body] if isinstance(body, Mapping) else [])


def outer_chord(its_body: Mapping[str, Any]) -> str | None:
    """The chord whose header the result of a chord's body, or of what follows it, is part of."""
    for options in _foreign({"chord": its_body}):
        if options.get("chord"):
            return str(options["group_id"])
    return None


def _foreign(embed: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The options of what belongs to a group that is not in ``embed`` itself."""
    own = frozenset(carried(embed))
    for signature in signatures.inside(embed):
        options = signature.get("options") or {}
        if options.get("group_id") and options["group_id"] not in own:
            yield options


def _renewed(embed: Mapping[str, Any], publishing: Publishing) -> dict[str, Any]:
    """``embed`` with fresh ids, and out of the groups that enclose it: Celery says them anew."""
    own = frozenset(carried(embed))

    def freed(signature: Mapping[str, Any]) -> dict[str, Any]:
        options = dict(signature.get("options") or {})
        old = options.get("task_id")
        if signature.get("subtask_type") not in _OF_TASKS and isinstance(old, str):
            mine, given = publishing.mark(old), options.get("headers")
            options["headers"] = {**given, **mine} if isinstance(given, dict) else mine
        if options.get("group_id") and options["group_id"] not in own:
            for key in _MEMBERSHIP:
                options.pop(key, None)
        return {**signature, "options": options}

    renewed = signatures.renew(signatures.rewrite({**embed}, freed), publishing.ids)
    return {key: value for key, value in renewed.items() if value}


def _options(message: Message, embed: Mapping[str, Any]) -> dict[str, Any]:
    """How the message was sent, as options of a signature."""
    headers = message.headers
    limits = headers.get("timelimit")
    time_limit, soft_time_limit = limits if isinstance(limits, Sequence) else (None, None)
    options = {
        "time_limit": time_limit,
        "soft_time_limit": soft_time_limit,
        "ignore_result": bool(headers.get("ignore_result")),
        "serializer": message.serializer,
        "compression": headers.get("compression"),
        "link": embed.get("callbacks"),
        "link_error": embed.get("errbacks"),
        **{key: headers.get(key) for key in ("shadow", "argsrepr", "kwargsrepr", "parent_id")},
        **{key: message.properties.get(key) for key in _PROPERTIES},
    }
    if headers.get("root_id") != headers.get("id"):
        options["root_id"] = headers.get("root_id")
    # All three, so that no route of today's sends it elsewhere.
    options |= {"exchange": message.exchange, "routing_key": message.routing_key}
    options["queue"] = message.queue or None
    stamps, stamped = headers.get("stamps"), headers.get("stamped_headers")
    if isinstance(stamps, Mapping) and isinstance(stamped, Sequence):
        options |= {**stamps, "stamped_headers": list(stamped)}
    explicit = ("time_limit", "soft_time_limit")  # None there overrules what the task says
    return {key: value for key, value in options.items() if value is not None or key in explicit}


def _users_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    stamps = headers.get("stamps") or {}
    return {
        name: value
        for name, value in headers.items()
        if name not in _CELERYS and name not in stamps
    }


def _signature(
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
    subtask_type: str | None = None,
) -> Signature:
    return {
        "task": task,
        "args": list(args),
        "kwargs": dict(kwargs),
        "options": dict(options),
        "subtask_type": subtask_type,
        "immutable": False,
    }
