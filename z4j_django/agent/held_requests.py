"""Requests in a worker's hands."""

from __future__ import annotations

import weakref
from typing import Any


class _Reference(weakref.ref[Any]):
    """A request that may be gone."""

    __slots__ = ("task_id",)

    task_id: str


class HeldRequests:
    """Requests by the task's id, each for as long as Celery holds it.

    A ``WeakValueDictionary`` that is only asked for one at a time, at a third of its cost.
    """

    def __init__(self) -> None:
        self._references: dict[str, _Reference] = {}

    def add(self, request: Any) -> None:
        """Hold ``request``, a worker's; it takes the place of an earlier one of the same id."""
        reference = _Reference(request, self._forget)
        reference.task_id = request.id
        self._references[request.id] = reference

    def get(self, task_id: str) -> Any:
        """The request of that id, or ``None``."""
        reference = self._references.get(task_id)
        return None if reference is None else reference()

    def _forget(self, reference: _Reference) -> None:
        if self._references.get(reference.task_id) is reference:
            self._references.pop(reference.task_id, None)
