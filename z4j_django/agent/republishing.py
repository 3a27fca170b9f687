"""The event of a message that is published again as raw bytes: Celery sends no signal for it."""

from __future__ import annotations

from typing import Any

from z4j_django.agent import events, messages


def republished(
    headers: dict[str, Any],
    *,
    exchange: str,
    routing_key: str,
    queue: str,
    priority: int | None,
    at: float,
) -> events.TaskEvent:
    """The send of a message whose body nobody looks at.

    Its header ``z4j`` tells what it retries (``retry_of``) and which operation published it
    (``operation``). The worker records the arguments.

    Args:
        headers: Of the message, in task protocol 2; with the id that it has now.
        exchange: Where it was published.
        routing_key: As it was published.
        queue: The queue's name, or nothing where it is not known.
        priority: As it was published.
        at: When, in seconds since the epoch.

    Returns:
        A ``task_sent`` without arguments, for ``Agent.note``.

    Raises:
        KeyError: If the headers have no id.
    """
    name = messages.text(headers.get("task"))
    return events.TaskEvent(
        kind=events.TASK_SENT,
        task_id=messages.text(headers["id"]),
        at=at,
        name=name,
        retries=messages.number(headers.get("retries")) or 0,
        nesting=messages.number(headers.get("replaced_task_nesting")) or 0,
        message=messages.message(
            headers.get,
            name=name,
            exchange=exchange,
            routing_key=routing_key,
            queue=queue,
            priority=priority,
            stamped=messages.stamp(headers),
        ),
    )
