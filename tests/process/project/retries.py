"""Tasks that say what they were given, and tasks that fail until somebody makes a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import Task, shared_task

#: What a task may be told besides its arguments.
_TOLD = ("timelimit", "shadow", "ignore_result", "reply_to", "group", "root_id", "parent_id")


@shared_task(name="tell", bind=True)
def tell(self: Task, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Everything that a task can know of its own message."""
    request = self.request
    headers = vars(request)
    return {
        "arguments": repr((list(args), kwargs)),
        "priority": request.delivery_info["priority"],
        "routing_key": request.delivery_info["routing_key"],
        "exchange": request.delivery_info["exchange"],
        "compression": headers.get("compression"),
        "delivery_mode": request.properties.get("delivery_mode"),
        "correlation": request.correlation_id == request.id,
        "stamps": request.stamps,
        "stamped_headers": request.stamped_headers,
        "expires": request.expires,
        "eta": request.eta,
        "retries": request.retries,
        "custom": headers.get("x-mine"),
        **{name: getattr(request, name) for name in _TOLD},
    }


@shared_task(name="double_once_mended")
def double_once_mended(x: int, path: str) -> int:
    if not Path(path).exists():
        raise FileNotFoundError("not mended yet")
    return x * 2


@shared_task(name="fail_always")
def fail_always(x: int) -> int:
    raise RuntimeError(f"no {x}")


@shared_task(name="note_failure")
def note_failure(task_id: str, *, path: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{task_id}\n")
