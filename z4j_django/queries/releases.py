"""Releases of the project's code: which there are, and what tasks and errors are of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db.models import OuterRef, QuerySet, Subquery

from z4j_django.models import Release, TaskRecord

#: What stands for a release that is not on record any more.
FORGOTTEN: Final = "(an old one)"


def wanted(project: str) -> QuerySet[Release]:
    """Those of a project, in no order."""
    return Release.objects.filter(project=project)


def newest(project: str) -> Release | None:
    """The one of which the first sight is the latest."""
    return wanted(project).order_by("-first_seen", "-id").first()


def names_of(keys: Iterable[int | None], database: str | None = None) -> dict[int | None, str]:
    """The names of those that stand on records by these keys; empty for none."""
    known = {key for key in keys if key}
    found: dict[int | None, str] = dict.fromkeys(known, FORGOTTEN)
    if known:
        rows = Release.objects.using(database).filter(key__in=known)
        found.update(rows.values_list("key", "name"))
    return {None: "", 0: "", **found}


def name_of(column: str) -> Subquery:
    """The name of the release that a column of a row with a project names; null for none."""
    rows = Release.objects.filter(project=OuterRef("project"), key=OuterRef(column))
    return Subquery(rows.values("name")[:1])


def names(project: str, limit: int) -> list[str]:
    """The names of those that were first seen last."""
    rows = wanted(project).order_by("-first_seen", "-id")
    return list(rows.values_list("name", flat=True)[:limit])


def first_seen_since(project: str, since: datetime, limit: int) -> list[Release]:
    """Those that were first seen after a moment, the last one first."""
    rows = wanted(project).filter(first_seen__gte=since)
    return list(rows.order_by("-first_seen", "-id")[:limit])


def names_on(records: Iterable[TaskRecord]) -> list[str]:
    """The names of those that some records are of, each once, in the records' order."""
    rows = list(records)
    tell(rows)
    return list(dict.fromkeys(one.release_name for one in rows if one.release_name))


def tell(records: Iterable[TaskRecord]) -> None:
    """Fill in the ``release_name`` of some records, in one query at most."""
    rows = [one for one in records if one.release_name is None]
    if rows:
        found = names_of((one.release for one in rows), rows[0]._state.db)
        for one in rows:
            one.release_name = found[one.release]
