"""A filter over tasks, as a value: what a bulk operation was asked to act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from django.db.models import Max, QuerySet

from z4j_django import states
from z4j_django.models import TaskRecord
from z4j_django.queries import keyset, tasks

#: Columns that may be given, the one whose index promises most first.
_COLUMNS: Final = ("name", "state", "worker", "queue")
_NAMES: Final = {**dict.fromkeys(_COLUMNS, ""), "q": "search", "search": "search"}


@dataclass(frozen=True)
class Selection:
    """Tasks of which each given column has the given value.

    Attributes:
        project: Whose tasks.
        state: One of Celery's states.
        name: A task's whole name.
        queue: A queue's name.
        worker: A worker's hostname.
        search: A task id or its beginning, or part of a name, as in the admin's search.
        until: The greatest row that it may find: tasks that come later stay out.
    """

    project: str
    state: str = ""
    name: str = ""
    queue: str = ""
    worker: str = ""
    search: str = ""
    until: int | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any], project: str) -> Selection:
        """The selection that a page's query parameters name; others are left out.

        Args:
            params: ``state``, ``name``, ``queue``, ``worker``, ``q`` or ``search``; ``until``.
            project: Whose tasks.

        Raises:
            ValueError: If a value can't be; the message names it.
        """
        given = {_NAMES[key] or key: str(params[key]).strip() for key in _NAMES if params.get(key)}
        for key, value in given.items():
            if "\0" in value or len(value) > 255:
                raise ValueError(f"The filter {key} has a value that no task can have.")
        if given.get("state", states.PENDING) not in states.ALL:
            known = ", ".join(states.ALL)
            raise ValueError(f"There is no state {given['state'][:50]!r}; the states are {known}.")
        until = str(params.get("until", ""))
        if until and not (until.isascii() and until.isdigit() and len(until) < 19):
            raise ValueError("The filter until is not a row's number.")
        return cls(project=project, until=int(until) if until else None, **given)

    @property
    def is_empty(self) -> bool:
        """Whether it would take every task there is."""
        return not (self.search or any(getattr(self, column) for column in _COLUMNS))

    def frozen(self) -> Selection:
        """The same, without the tasks that come from now on."""
        if self.until is not None:
            return self
        newest = TaskRecord.objects.aggregate(newest=Max("id"))["newest"]
        return replace(self, until=newest or 0)

    def find(self, limit: int) -> QuerySet[TaskRecord]:
        """The newest tasks that it finds, without their large columns.

        Args:
            limit: How many at most.
        """
        given = {column: value for column in _COLUMNS if (value := getattr(self, column))}
        rest = tasks.summaries(TaskRecord.objects.filter(project=self.project))
        place = keyset.Place(before=None if self.until is None else self.until + 1)
        if self.search:
            rest = rest.filter(**given)
            ways = tasks.ways(rest, self.search)
            return keyset.page(rest, ways, place, limit)
        leading = next(iter(given), "")
        way = keyset.Way(column=leading, value=given.pop(leading)) if leading else keyset.Way()
        return keyset.page(rest.filter(**given), [way], place, limit)

    def as_json(self) -> dict[str, Any]:
        """What of it is given, for the audit trail."""
        return {key: value for key, value in asdict(self).items() if value not in ("", None)}

    def describe(self) -> str:
        """The same in words."""
        given = self.as_json()
        parts = [f"{key} {given[key]}" for key in (*_COLUMNS, "search") if key in given]
        return ", ".join(parts) or "every task"
