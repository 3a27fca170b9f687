"""A filter over tasks, as a value: what a bulk operation was asked to act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import Max, QuerySet
from django.utils import timezone

from z4j_django import states
from z4j_django.exceptions import FilterError
from z4j_django.models import TaskRecord
from z4j_django.models.primary import primary
from z4j_django.queries import filter as filters
from z4j_django.queries import pages
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.filter import terms, words
from z4j_django.values import GREATEST_ID

#: Columns that may be given.
_COLUMNS: Final = ("name", "state", "worker", "queue")
_NAMES: Final = {**dict.fromkeys(_COLUMNS, ""), "q": "search", "search": "search"}
#: Tasks that are read at once.
_PAGE: Final = 5000


@dataclass(frozen=True)
class Found:
    """What of a selection was found.

    Attributes:
        rows: The rows of the newest tasks.
        looked_through: How many tasks were looked through where it was left at that, though there
            may be more; 0: there are no more.
    """

    rows: list[int]
    looked_through: int = 0


@dataclass(frozen=True)
class Selection:
    """Tasks of which each given column has the given value, and that the search finds.

    It is acted on, and so read where the records are written, whatever replicas there are.

    Attributes:
        project: Whose tasks.
        state: One of Celery's states.
        name: A task's whole name.
        queue: A queue's name.
        worker: A worker's hostname.
        search: A filter in the grammar of ``docs/reference/filters.md``.
        until: The greatest row that it may find: tasks that come later stay out.
        asked_at: The moment, in ISO 8601, from which the ages in ``search`` are counted back;
            empty: the present.
    """

    project: str
    state: str = ""
    name: str = ""
    queue: str = ""
    worker: str = ""
    search: str = ""
    until: int | None = None
    asked_at: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any], project: str) -> Selection:
        """The selection that a page's query parameters name; others are left out.

        Args:
            params: ``state``, ``name``, ``queue``, ``worker``, ``q`` or ``search``; ``until`` and
                ``asked_at``.
            project: Whose tasks.

        Raises:
            ValueError: If a value can't be; the message names it.
        """
        given = {_NAMES[key] or key: str(params[key]).strip() for key in _NAMES if params.get(key)}
        for key, value in {**given, "project": project, "search": ""}.items():
            if "\0" in value or len(value) > 255:
                raise ValueError(f"The filter {key} has a value that no task can have.")
        if given.get("state", states.PENDING) not in states.ALL:
            known = ", ".join(states.ALL)
            raise ValueError(f"There is no state {given['state'][:50]!r}; the states are {known}.")
        until, asked_at = str(params.get("until", "")), str(params.get("asked_at", ""))
        if until and not (until.isascii() and until.isdigit() and len(until) < 19):
            raise ValueError("The filter until is not a row's number.")
        given["search"] = " ".join((given.get("search", ""), *_others(params))).strip()
        found = cls(
            project=project, until=int(until) if until else None, asked_at=asked_at, **given
        )
        try:
            found.filter()
        except FilterError as error:
            raise ValueError(str(error)) from None
        return found

    @property
    def is_empty(self) -> bool:
        """Whether it would take every task there is.

        Raises:
            FilterError: If the search can't be read.
        """
        return all(term.name == "project" for term in self.filter().terms)

    def filter(self) -> filters.Filter:
        """The filter that it is.

        Raises:
            FilterError: If the search can't be read.
            ValueError: If ``asked_at`` is no moment.
        """
        given = {column: value for column in _COLUMNS if (value := getattr(self, column))}
        own = [terms.exactly(column, value) for column, value in given.items()]
        found = filters.parse(self.search, now=self._now())
        return filters.Filter((terms.exactly("project", self.project), *own), found.now) & found

    def _now(self) -> datetime | None:
        if not self.asked_at:
            return None
        try:
            moment = datetime.fromisoformat(self.asked_at)
        except ValueError:
            moment = None
        if moment is None or timezone.is_naive(moment) or not 1970 <= moment.year < 2200:
            raise ValueError("The filter asked_at is not a moment with its time zone.")
        return moment

    def frozen(self) -> Selection:
        """The same, without the tasks that come from now on, and with ages that stand."""
        until, asked_at = self.until, self.asked_at
        if until is None:
            until = primary(TaskRecord).aggregate(newest=Max("id"))["newest"] or 0
        return replace(self, until=until, asked_at=asked_at or datetime.now(UTC).isoformat())

    def ids(self, limit: int) -> list[str]:
        """The ids of the newest tasks that it finds.

        Args:
            limit: How many at most.

        Raises:
            FilterError: If the search can't be read.
            ValueError: If it would have to look through too many tasks; the message says what
                would help.
        """
        return [task.task_id for task in self.records(limit, ("task_id",))]

    def records(self, limit: int, columns: Sequence[str]) -> list[TaskRecord]:
        """The newest tasks that it finds, with some of their columns.

        Args:
            limit: How many at most.
            columns: Which.

        Raises:
            FilterError: If the search can't be read.
            ValueError: If it would have to look through too many tasks.
        """
        wanted, queryset, cursor = self._start()
        queryset = queryset.only(*columns, "sent_at")
        found = wanted.pages(queryset, limit, _PAGE, cursor=cursor)
        rows = [row for page in found for row in page]
        if found.gave_up:
            raise _too_little(found.examined)
        return rows

    def first(self, limit: int, look: int) -> Found:
        """The rows of the newest tasks that it finds, as far as it looks.

        Args:
            limit: How many at most.
            look: Tasks that are looked through before it is left at what was found. While that
                is nothing it looks on.

        Raises:
            FilterError: If the search can't be read.
            ValueError: If it would have to look through too many tasks.
        """
        wanted, queryset, cursor = self._start()
        rows: list[int] = []
        looked_through = 0
        while True:
            page = wanted.keys(queryset, cursor, limit - len(rows), look)
            rows += [key.id for key in page.rows]
            looked_through += page.looked_through or 0
            if page.following is None or len(rows) >= limit:
                return Found(rows)
            if rows and looked_through >= look:
                return Found(rows, looked_through)
            if looked_through >= pages.EXAMINED_LIMIT:
                raise _too_little(looked_through)
            cursor = Cursor(before=page.following)

    def _start(self) -> tuple[filters.Filter, QuerySet[TaskRecord], Cursor]:
        """The filter, the tasks that may be among those it finds, and where they begin."""
        wanted = self.filter()
        if unindexed := wanted.unindexed():
            raise ValueError(
                f"{' and '.join(unindexed)}: there is no index for this. Put a term beside it "
                "that has one: a state other than SUCCESS, a name, a worker, a queue, or a range "
                "of sent, such as sent:<2d."
            )
        queryset = primary(TaskRecord).all()
        if self.until is None:
            return wanted, queryset, Cursor()
        if wanted.order() == "-id":
            return wanted, queryset, Cursor(before=min(self.until + 1, GREATEST_ID))
        return wanted, queryset.filter(pk__lte=self.until), Cursor()

    def as_json(self) -> dict[str, Any]:
        """What of it is given, for the audit trail."""
        return {key: value for key, value in asdict(self).items() if value not in ("", None)}

    def describe(self) -> str:
        """The same in words."""
        given = self.as_json()
        parts = [f"{key} {given[key]}" for key in (*_COLUMNS, "search") if key in given]
        return ", ".join(parts) or "every task"


def _too_little(looked_through: int) -> ValueError:
    return ValueError(
        f"The filter finds too little: {looked_through:,} tasks were looked through. "
        "Narrow it by a range of sent, such as sent:<2d."
    )


def _others(params: Mapping[str, Any]) -> list[str]:
    """Terms of the admin's sidebar that are no members of a selection."""
    return [
        f"{kind.name}:{words.quote(str(params[kind.name]))}"
        for kind in terms.TERMS.values()
        if kind.is_parameter and kind.name not in _COLUMNS and params.get(kind.name)
    ]
