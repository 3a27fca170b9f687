"""What the positional arguments of a task are called."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final

from celery._state import get_current_app

#: Tasks whose parameter names are remembered.
_KNOWN_TASKS: Final = 4_096

#: Parameter names, by the task's name; with the task, as another app may have one of that name.
_known: dict[str, tuple[Any, Sequence[str]]] = {}
_UNKNOWN: Final[tuple[Any, Sequence[str]]] = (None, ())


def names(name: str, count: int) -> Sequence[str]:
    """The names of a task's first ``count`` positional parameters, if the task is known here."""
    task = get_current_app()._tasks.get(name)  # not .tasks, which would finalise the app
    if task is None:
        return ()
    known, found = _known.get(name, _UNKNOWN)
    if known is not task:
        found = _of(task.run)
        if len(_known) < _KNOWN_TASKS or name in _known:
            _known[name] = (task, found)
    return found if len(found) == count else found[:count]


def _of(run: Any) -> Sequence[str]:
    try:
        parameters = inspect.signature(run).parameters.values()
    except (TypeError, ValueError):
        return ()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [one.name for one in parameters if one.kind in positional]
    rest = [one.name for one in parameters if one.kind is one.VAR_POSITIONAL]
    return tuple(found + rest)
