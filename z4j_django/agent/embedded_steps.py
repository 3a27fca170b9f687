"""Steps of a workflow that a message carries in its embed, before they are published.

Celery freezes the ids of a chain's steps and of a chord's body when the workflow starts, and
sends them along: the rest of a chain as ``embed["chain"]``, last step first, and the body of a
chord as ``embed["chord"]``. A failed chord never publishes its body, and in a chain inside a
group only the last step carries the group's id: without the embed neither would be on record.

A step may be a chain, a group or a chord itself, under a name and with an id as of a task. A
chain's id is that of its last task, a group's and a chord's that of the members' group. Of a
body the group keeps that id; of a body's body Celery makes a new one when it publishes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from msgspec import structs

from z4j_django.agent.events import CHORD, GROUP, GROUPS, Step

#: Chords within chords that are followed.
DEPTH: Final = 10
#: Steps of one chain that are looked at.
LENGTH: Final = 1_000
#: Members that are told of a group which is a chord's body.
MEMBERS: Final = 100
#: Steps of the rest of a chain that are told by id and name.
REST: Final = 50
#: Our own header; see ``messages``, which imports this module.
_HEADER: Final = "z4j"
_CHAIN: Final = "celery.chain"


def chord_body(embed: object) -> Step | None:
    """The body of the chord that a message's task feeds; of a chain, its first step.

    Args:
        embed: The third part of a task message's body (task protocol 2).
    """
    return _step(embed.get("chord"), DEPTH) if isinstance(embed, Mapping) else None


def chain_members(embed: object) -> tuple[Step, ...]:
    """The steps of the rest of a message's chain that are members of a group.

    The chain may go on after the body of the chord that the message's task feeds, too.

    Args:
        embed: The third part of a task message's body (task protocol 2).
    """
    if not isinstance(embed, Mapping):
        return ()
    body = embed.get("chord")
    rest = embed.get("chain")
    after = _after(body) if isinstance(body, Mapping) else []
    if not rest and not after:
        return ()
    ends = (end for one in (*_listed(rest), *after) for end in _ends(one, DEPTH))
    steps = (_step(end, DEPTH) for end in islice(ends, LENGTH))
    return tuple(step for step in steps if step is not None and step.is_member)


def rest(embed: object) -> tuple[Step, ...]:
    """Ids and names of the first steps of the rest of a message's chain, the next one first.

    Of a chord among them it is the task that ends it; a group has none.

    Args:
        embed: The third part of a task message's body (task protocol 2).
    """
    return _named(_listed(embed.get("chain"))[::-1]) if isinstance(embed, Mapping) else ()


def _named(chain: Iterable[object]) -> tuple[Step, ...]:
    single = (one for one in chain if not (isinstance(one, Mapping) and one.get("task") == GROUP))
    ends = islice((end for one in single for end in _ends(one, DEPTH)), REST)
    steps = (_step(end, 1) for end in ends)
    return tuple(Step(step.task_id, step.name) for step in steps if step is not None)


def _after(body: Mapping[str, Any]) -> list[object]:
    """What follows the first step of a chord's body."""
    options = body.get("options")
    after = _listed(options.get("chain")) if isinstance(options, Mapping) else []
    name = body.get("task")
    if name == _CHAIN:
        return [*_part(body, "tasks")[1:], *after]
    return [_kwargs(body).get("body"), *after] if name == CHORD else after


def _ends(signature: object, depth: int) -> Iterator[object]:
    """The tasks whose results are that of a step, which are members of its group."""
    name = signature.get("task") if isinstance(signature, Mapping) and depth > 0 else None
    if name == _CHAIN:
        yield from _ends((_part(signature, "tasks") or [None])[-1], depth - 1)
    elif name == CHORD:
        yield from _ends(_kwargs(signature).get("body"), depth - 1)
    elif name == GROUP:
        for task in _part(signature, "tasks"):
            yield from _ends(task, depth - 1)
    elif name is not None:
        yield signature


def _listed(chain: object) -> list[object]:
    # No subclass: one of Celery's runs a generator of the user's when it is looked at.
    return list(islice(chain, LENGTH)) if type(chain) in (list, tuple) else []  # type: ignore[call-overload]


def _kwargs(signature: object) -> Mapping[str, Any]:
    kwargs = signature.get("kwargs") if isinstance(signature, Mapping) else None
    return kwargs if isinstance(kwargs, Mapping) else {}


def _part(signature: object, name: str) -> list[object]:
    return _listed(_kwargs(signature).get(name))


def _step(signature: object, depth: int) -> Step | None:
    if not isinstance(signature, Mapping) or depth <= 0:
        return None
    options = signature.get("options")
    if not isinstance(options, Mapping):
        return None
    name = _text(signature.get("task"))
    if name == _CHAIN:
        first, *others = _part(signature, "tasks") or [None]
        step = _step(first, depth - 1)
        return structs.replace(step, rest=_named(others)) if step is not None and others else step
    task_id = options.get("task_id")
    if not isinstance(task_id, str) or not task_id:
        return None
    if name in GROUPS:
        return _group(task_id, name, signature, depth - 1)
    index: Any = options.get("group_index")
    return Step(
        task_id=task_id,
        name=name,
        group_id=_text(options.get("group_id")),
        group_index=index if type(index) is int else None,
        chord=_step(options.get("chord"), depth - 1),
        rest=_named(_listed(options["chain"])[::-1]) if options.get("chain") else (),
        **_origin(options.get("headers")),
    )


def _group(group_id: str, name: str, signature: object, depth: int) -> Step:
    """A group or chord that is a chord's body."""
    body = None
    if name == CHORD:
        header = _kwargs(signature).get("header")
        tasks = _part(header, "tasks") if isinstance(header, Mapping) else _listed(header)
        body = _step(_kwargs(signature).get("body"), depth)
        if body is not None and body.name in GROUPS:
            body = Step("", body.name)
    else:
        tasks = _part(signature, "tasks")
    ends = (end for task in tasks for end in _ends(task, depth))
    found = (_step(end, 1) for end in islice(ends, MEMBERS))
    members = tuple(
        structs.replace(one, group_id=one.group_id or group_id, chord=body)
        for one in found
        if one is not None
    )
    return Step(group_id, name, chord=body, size=len(tasks), members=members)


def _origin(headers: object) -> dict[str, Any]:
    """What an operation wrote on a step that it published along with another."""
    stamped = headers.get(_HEADER) if isinstance(headers, Mapping) else None
    if not isinstance(stamped, Mapping):
        return {}
    facts: dict[str, Any] = {"retry_of": _text(stamped.get("retry_of"))}
    operation = stamped.get("operation")
    if type(operation) is int and 0 < operation < 2**63:
        facts["operation"] = operation
    return facts


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
