"""Ends of tasks that no signal of Celery's tells.

Celery catches no ``SystemExit`` and no other ``BaseException``. In a pool of processes the main
process loses the child by it, and tells; other pools have no second witness.
"""

from __future__ import annotations

import sys
from typing import Any

from z4j_django.agent.process import is_pool_child


def untold(task_id: str, request: Any) -> BaseException | None:
    """The exception that passes through a run of this process, unless somebody else tells of it.

    Args:
        task_id: Of the task.
        request: Its context.
    """
    error = sys.exc_info()[1]  # Celery sends ``task_postrun`` while it passes
    if error is None or isinstance(error, Exception):
        return None  # ``task_internal_error`` tells
    if is_pool_child() and not request.is_eager:
        return None  # the main process tells
    if type(error).__name__ == "GreenletExit" and _is_revoked(task_id):
        return None  # ``task_revoked`` tells
    return error


def _is_revoked(task_id: str) -> bool:
    """Whether the worker of this process was told that the task is to end."""
    state = sys.modules.get("celery.worker.state")
    return state is not None and task_id in state.revoked
