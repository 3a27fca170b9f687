"""The project's result backend: whether a result is still there, without loading it.

A result may be pickled, and is then read by a worker alone, in :func:`stored`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import celery
from celery.backends.base import BaseKeyValueStoreBackend, DisabledBackend

from z4j_django import json_text, states
from z4j_django.exceptions import OperationError
from z4j_django.timeouts import within

#: The task of ours that returns the result of another one; see ``z4j_django.tasks``.
REPLAY_TASK: Final = "z4j_django.replay"
#: Results that are asked for at once.
_AT_ONCE: Final = 500
_PICKLE: Final = "pickle"
_JSON: Final = "json"
#: Characters of what a task says of its progress, at most.
_PROGRESS_LIMIT: Final = 100_000


@dataclass(frozen=True)
class Progress:
    """What a running task says of itself.

    Attributes:
        current: How much is done.
        total: Of how much, more than none; ``None`` where it does not say so.
        state: A state of the project's own, if it is in one.
        meta: What it said with that.
    """

    current: float
    total: float | None
    state: str = ""
    meta: dict[Any, Any] = field(default_factory=dict)


def stored(app: celery.Celery, task_id: str) -> Any:
    """The result of a task that succeeded, as the backend has it.

    Args:
        app: The project's app.
        task_id: The task's id.

    Raises:
        LookupError: If there is none.
    """
    meta = app.backend.get_task_meta(task_id, cache=False)
    if meta["status"] != states.SUCCESS:
        raise LookupError(f"The result of {task_id} is not in the result backend (any more).")
    return meta["result"]


def missing(app: celery.Celery, task_ids: Iterable[str], timeout: float) -> list[str]:
    """Those of ``task_ids`` whose results are not there.

    Args:
        app: The project's app.
        task_ids: Of tasks that succeeded.
        timeout: Seconds in which the backend must answer; the project's own database has none.

    Raises:
        OperationError: If the backend can't be asked without unpickling what it holds.
        TimeoutError: If it does not answer in time.
        Exception: Whatever it raises where it refuses.
    """
    backend, ids = app.backend, list(task_ids)
    if not ids:
        return []
    if isinstance(backend, DisabledBackend):
        return ids
    if hasattr(backend, "TaskModel"):  # django-celery-results
        return _without(ids, _rows(backend, ids))
    if isinstance(backend, BaseKeyValueStoreBackend):
        return within(timeout, lambda: _without(ids, _keys(backend, ids)))
    if _PICKLE in (app.conf.result_serializer, getattr(backend, "serializer", _PICKLE)) or hasattr(
        backend,
        "task_cls",  # SQLAlchemy's, whose rows are pickled whatever the serializer
    ):
        raise OperationError(
            f"The result backend {type(backend).__name__} holds pickled results, and can't be "
            "asked which of them are there."
        )
    return within(timeout, lambda: _without(ids, _succeeded(backend, ids)))


def progress(app: celery.Celery, task_id: str, timeout: float) -> Progress | None:
    """What a task said by ``update_state(state=…, meta={"current": …, "total": …})``.

    Nothing is unpickled for it: it is told where the backend keeps JSON.

    Args:
        app: The project's app.
        task_id: The task's id.
        timeout: Seconds in which the backend must answer; the project's own database has none.

    Returns:
        What it said last; ``None`` where it says nothing, or nothing that can be read.

    Raises:
        TimeoutError: If the backend does not answer in time.
        Exception: Whatever it raises where it refuses.
    """
    backend = app.backend
    if hasattr(backend, "TaskModel"):  # django-celery-results
        return _progress_of_row(backend, task_id)
    if isinstance(backend, BaseKeyValueStoreBackend) and backend.serializer == _JSON:
        found = within(timeout, lambda: backend.get(backend.get_key_for_task(task_id)))
        meta = _read(found)
        return _progress(meta.get("status"), meta.get("result")) if isinstance(meta, dict) else None
    return None


def _progress_of_row(backend: Any, task_id: str) -> Progress | None:
    rows = backend.TaskModel._default_manager.filter(task_id=task_id)
    row = rows.values_list("status", "content_type", "content_encoding", "result").first()
    if row is None or row[1:3] != ("application/json", "utf-8"):
        return None
    return _progress(row[0], _read(row[3]))


def _read(text: Any) -> Any:
    """What JSON says; ``None`` where it is none, or too much."""
    if not isinstance(text, str | bytes) or len(text) > _PROGRESS_LIMIT:
        return None
    try:
        return json_text.read(text)
    except json_text.JSONTextError:
        return None


def _progress(state: Any, meta: Any) -> Progress | None:
    """What the meta of a state of the project's own says; Celery's own states have results."""
    if state in states.FINISHED or not isinstance(meta, dict):
        return None
    own = str(state) if meta and state not in states.RANK else ""
    rest = meta if own else {}
    current, total = (_number(meta.get(name)) for name in ("current", "total"))
    if current is None or not total or total < 0:
        return Progress(0.0, None, own, rest) if own else None
    return Progress(min(max(current, 0.0), total), total, own, rest)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def forget(app: celery.Celery, task_ids: Sequence[str]) -> None:
    """Remove what the backend has of some tasks, so that whoever asks for them waits again."""
    for task_id in task_ids:
        with contextlib.suppress(NotImplementedError):  # it will be overwritten
            app.backend.forget(task_id)


def _without(ids: list[str], found: Iterable[str]) -> list[str]:
    there = set(found)
    return [task_id for task_id in ids if task_id not in there]


def _rows(backend: Any, ids: list[str]) -> list[str]:
    found: list[str] = []
    for some in _parts(ids):
        rows = backend.TaskModel._default_manager.filter(task_id__in=some, status=states.SUCCESS)
        found += rows.values_list("task_id", flat=True)
    return found


def _keys(backend: Any, ids: list[str]) -> list[str]:
    found: list[str] = []
    for some in _parts(ids):
        values = _values(backend, [backend.get_key_for_task(task_id) for task_id in some])
        found += [task_id for task_id, value in zip(some, values, strict=True) if value]
    return found


def _values(backend: Any, keys: list[Any]) -> list[Any]:
    """What stands under each key, as it is."""
    try:
        values = backend.mget(keys)
    except NotImplementedError:
        return [backend.get(key) for key in keys]
    if hasattr(values, "items"):  # memcached's, without those that are not there
        return [values.get(key) for key in keys]
    return list(values)


def _parts(ids: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(ids), _AT_ONCE):
        yield ids[first : first + _AT_ONCE]


def _succeeded(backend: Any, ids: list[str]) -> list[str]:
    def state(task_id: str) -> object:
        return backend.get_task_meta(task_id, cache=False)["status"]

    return [task_id for task_id in ids if state(task_id) == states.SUCCESS]
