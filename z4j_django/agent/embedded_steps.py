"""Steps of a workflow that a message carries in its embed, before they are published.

Celery freezes the ids of a chain's steps and of a chord's body when the workflow starts, and
sends them along: the rest of a chain as ``embed["chain"]``, last step first, and the body of a
chord as ``embed["chord"]``. A failed chord never publishes its body, and in a chain inside a
group only the last step carries the group's id: without the embed neither would be on record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

from z4j_django.agent.events import Step

#: Chords within chords that are followed.
DEPTH: Final = 10
#: Steps of one chain that are looked at.
LENGTH: Final = 1_000
#: Our own header; see ``messages``, which imports this module.
_HEADER: Final = "z4j"


def chord_body(embed: object) -> Step | None:
    """The body of the chord that a message's task feeds.

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
    options = body.get("options") if isinstance(body, Mapping) else None
    after = options.get("chain") if isinstance(options, Mapping) else None
    rest = embed.get("chain")
    if not rest and not after:
        return ()
    steps = (_step(one, DEPTH) for chain in (rest, after) for one in _listed(chain))
    return tuple(step for step in steps if step is not None and step.group_id)


def _listed(chain: object) -> list[object]:
    is_list = isinstance(chain, Sequence) and not isinstance(chain, (str, bytes))
    return list(islice(chain, LENGTH)) if is_list else []  # type: ignore[call-overload]


def _step(signature: object, depth: int) -> Step | None:
    if not isinstance(signature, Mapping) or depth <= 0:
        return None
    options = signature.get("options")
    if not isinstance(options, Mapping):
        return None
    task_id = options.get("task_id")
    if not isinstance(task_id, str) or not task_id:
        return None
    index: Any = options.get("group_index")
    return Step(
        task_id=task_id,
        name=_text(signature.get("task")),
        group_id=_text(options.get("group_id")),
        group_index=index if type(index) is int else None,
        chord=_step(options.get("chord"), depth - 1),
        **_origin(options.get("headers")),
    )


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
