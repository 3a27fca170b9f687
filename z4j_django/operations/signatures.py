"""The workflow that a message carries along: fresh ids for its steps, and what it feeds.

Celery freezes the ids of a chain's steps, of a chord's body and of a group's members when the
workflow starts. Sent again with the same ids, a step would meet the results of the first time:
whoever asks for it reads the old failure.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final

from z4j_django.exceptions import OperationError

Signature = Mapping[str, Any]
Embed = Mapping[str, Any]

#: Lists and signatures within each other that are followed.
DEPTH: Final = 200
#: Signatures of one message that are looked at.
COUNT: Final = 100_000

#: Where a message carries signatures, and where a signature does: options, then keyword arguments.
_EMBEDS: Final = ("callbacks", "errbacks", "chain", "chord")
_OPTIONS: Final = ("link", "link_error", "chord", "chain")
_PARTS: Final = {"chain": ("tasks",), "group": ("tasks",), "chord": ("header", "body")}
#: Options that name another task or group; renewed where that one is.
_REFERENCES: Final = ("group_id", "root_id", "parent_id")
#: Options that make a task a member of a group, and part of a chord.
_MEMBERSHIP: Final = ("chord", "group_id", "group_index")


def new_id() -> str:
    """A task id as Celery makes them."""
    return str(uuid.uuid4())


def renew(
    embed: Embed, ids: MutableMapping[str, str], make_id: Callable[[], str] = new_id
) -> dict[str, Any]:
    """``embed`` with a fresh id for each task and group in it, at every depth.

    Where one id stands in several places, its fresh id stands in all of them. A group that
    encloses the message itself keeps its id, unless ``ids`` has another one for it.

    Args:
        embed: The third part of a task message's body.
        ids: Fresh ids by old ones, as far as they are decided, such as that of the message's own
            task; those that are made here are added.
        make_id: Makes an id.

    Raises:
        OperationError: If it is nested too deeply, or has too many parts.
    """
    for signature in inside(embed):
        task_id = _options(signature).get("task_id")
        if isinstance(task_id, str) and task_id not in ids:
            ids[task_id] = make_id()

    def renewed(signature: Signature) -> dict[str, Any]:
        options = dict(_options(signature))
        for key in ("task_id", *_REFERENCES):
            if isinstance(old := options.get(key), str):
                options[key] = ids.get(old, old)
        options.pop("reply_to", None)  # who waited for it there has long had an answer
        return {**signature, "options": options}

    return rewrite(embed, renewed)


def rewrite(embed: Embed, change: Callable[[Signature], dict[str, Any]]) -> dict[str, Any]:
    """``embed`` with each signature replaced, at every depth; those inside first.

    Args:
        embed: The third part of a task message's body.
        change: Makes a new signature from one whose parts are new already.

    Raises:
        OperationError: If it is nested too deeply, or has too many parts.
    """
    for _ in inside(embed):
        pass  # counted
    return {
        key: _rewrite(value, change, DEPTH) if key in _EMBEDS else value
        for key, value in embed.items()
    }


def inside(embed: Embed) -> Iterator[Signature]:
    """All signatures in ``embed``, at every depth.

    Raises:
        OperationError: If there are too many, or they are nested too deeply.
    """
    count = 0
    for key in _EMBEDS:
        for signature in _walk(embed.get(key), DEPTH):
            count += 1
            if count > COUNT:
                raise OperationError(f"Its workflow has more than {COUNT:,} parts.")
            yield signature


def chord_of(embed: Embed) -> Signature | None:
    """The body of the chord that a message's task feeds, itself or at the end of its chain."""
    chord = embed.get("chord")
    if _is_signature(chord):
        return chord
    for step in _listed(embed.get("chain")):
        for last in _ends(step, DEPTH):
            if _is_signature(found := _options(last).get("chord")):
                return found
    return None


def id_of(signature: Signature) -> str:
    """The task id that a signature was given; empty if it was given none."""
    task_id = _options(signature).get("task_id")
    return task_id if isinstance(task_id, str) else ""


def without_chord(embed: Embed) -> dict[str, Any]:
    """``embed`` of a task that feeds no chord any more, neither itself nor at its chain's end."""

    def freed(signature: Signature) -> dict[str, Any]:
        options = dict(_options(signature))
        if options.get("chord"):
            for key in _MEMBERSHIP:
                options.pop(key, None)
        return {**signature, "options": options}

    chain = embed.get("chain")
    steps = [_change_ends(step, freed, DEPTH) for step in _listed(chain)]
    return {**embed, "chord": None, "chain": steps or chain}


def _ends(signature: Any, depth: int) -> Iterator[Signature]:
    """The tasks whose results are that of ``signature``: those that a chord around it waits for."""
    found: list[Signature] = []

    def look(end: Signature) -> dict[str, Any]:
        found.append(end)
        return {**end}

    _change_ends(signature, look, depth)
    yield from found


def _change_ends(value: Any, change: Callable[[Signature], dict[str, Any]], depth: int) -> Any:
    """``value`` with its ends replaced: a chord's body, a chain's last step, a group's members."""
    if not _is_signature(value) or depth <= 0:
        return value
    kind, given = value.get("subtask_type"), value.get("kwargs")
    kwargs = dict(given) if isinstance(given, Mapping) else {}
    if kind == "chord":
        kwargs["body"] = _change_ends(kwargs.get("body"), change, depth - 1)
        return {**value, "kwargs": kwargs}
    if kind not in ("chain", "group"):
        return change(value)
    tasks = _listed(kwargs.get("tasks"))
    first = 0 if kind == "group" else max(len(tasks) - 1, 0)
    kwargs["tasks"] = tasks[:first] + [
        _change_ends(task, change, depth - 1) for task in tasks[first:]
    ]
    whole = {**value, "kwargs": kwargs}
    return change(whole) if kind == "group" else whole


def _walk(value: Any, depth: int) -> Iterator[Signature]:
    if depth <= 0:
        raise OperationError(f"Its workflow is nested more than {DEPTH} deep.")
    if isinstance(value, list | tuple):
        for item in value:
            yield from _walk(item, depth - 1)
    elif _is_signature(value):
        yield value
        options, kwargs = _options(value), value.get("kwargs")
        for key in _OPTIONS:
            yield from _walk(options.get(key), depth - 1)
        for key in _PARTS.get(str(value.get("subtask_type")), ()):
            if isinstance(kwargs, Mapping):
                yield from _walk(kwargs.get(key), depth - 1)


def _rewrite(value: Any, change: Callable[[Signature], dict[str, Any]], depth: int) -> Any:
    if isinstance(value, list | tuple):
        return [_rewrite(item, change, depth - 1) for item in value]
    if not _is_signature(value):
        return value
    signature = dict(value)
    options = dict(_options(value))
    for key in _OPTIONS:
        if key in options:
            options[key] = _rewrite(options[key], change, depth - 1)
    signature["options"] = options
    kwargs = value.get("kwargs")
    parts = _PARTS.get(str(value.get("subtask_type")), ())
    if parts and isinstance(kwargs, Mapping):
        signature["kwargs"] = {
            key: _rewrite(part, change, depth - 1) if key in parts else part
            for key, part in kwargs.items()
        }
    return change(signature)


def _is_signature(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("task"), str)


def _options(signature: Signature) -> Mapping[str, Any]:
    options = signature.get("options")
    return options if isinstance(options, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
