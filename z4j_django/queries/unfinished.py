"""Tasks by their state, a bounded number of them: what is asked every few seconds reads no more.

Of a state that the index leaves out, ``SUCCESS``, there is nothing to be had here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db.models import QuerySet

from z4j_django.models import TaskRecord
from z4j_django.queries.cursors import Key, Order
from z4j_django.queries.index_ranges import IndexRange, rows

#: Tasks of one state that are looked at, at most.
LOOK: Final = 2_000


def newest(project: str, state: str, look: int = LOOK) -> QuerySet[TaskRecord]:
    """Those of a project that are among the newest in a state."""
    last = _place(state, Order(), None, look)
    found = TaskRecord.objects.filter(project=project, state=state)
    return found if last is None else found.filter(id__gt=last)


def oldest(project: str, state: str, since: datetime, look: int = LOOK) -> QuerySet[TaskRecord]:
    """Those of a project that are among the oldest in a state of all that came since a moment."""
    sent = TaskRecord.objects.filter(sent_at__gte=since).order_by("sent_at", "id")
    first = sent.values_list("id", flat=True).first()
    if first is None:
        return TaskRecord.objects.none()
    last = _place(state, Order(down=False), Key(first - 1), look)
    found = TaskRecord.objects.filter(project=project, state=state, id__gte=first)
    return found if last is None else found.filter(id__lt=last)


def _place(state: str, order: Order, key: Key | None, look: int) -> int | None:
    """The id of the first task that is not looked at; ``None`` where there are not so many."""
    part = IndexRange(column="state", value=state)
    found = rows(TaskRecord.objects.all(), part, order, key).values_list("id", flat=True)
    return next(iter(found[look : look + 1]), None)
