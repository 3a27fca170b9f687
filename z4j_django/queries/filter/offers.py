"""The values that a filter's terms can be given: what somebody may choose from, or type on from.

Each takes the beginning of a value, and costs a bounded number of index lookups however many tasks
there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from z4j_django.models import ErrorGroup, Release, TaskRecord
from z4j_django.queries import lookups, tasks
from z4j_django.queries import workers as worker_queries

#: The values that begin with a text, :data:`LIMIT` at most.
Offers: TypeAlias = Callable[[str], list[str]]

LIMIT: Final = tasks.CHOICES_LIMIT
#: Errors that are looked through, the newest.
_ERRORS: Final = 500


def among(*values: str) -> Offers:
    """Those of some values, whose case means nothing."""

    def offers(beginning: str) -> list[str]:
        return [one for one in values if one.casefold().startswith(beginning.casefold())]

    return offers


#: Ages that people ask for.
AGES: Final = among("<10m", "<1h", "<24h", "<7d", ">1h", ">1d")


def of_column(column: str) -> Offers:
    """Those on record in an indexed column of the tasks."""

    def offers(beginning: str) -> list[str]:
        return lookups.distinct_values(TaskRecord, column, LIMIT, beginning)

    return offers


def names(beginning: str) -> list[str]:
    """The names of tasks, from their beginning or from any of their dots."""
    if not beginning:
        return lookups.distinct_values(TaskRecord, "name", LIMIT)
    return tasks.names_like(TaskRecord.objects.all(), beginning)[:LIMIT]


def workers(beginning: str) -> list[str]:
    """The workers that took tasks; where nothing is typed, those that came last."""
    if not beginning:
        return worker_queries.hostnames()
    return lookups.distinct_values(TaskRecord, "worker", LIMIT, beginning)


def releases(beginning: str) -> list[str]:
    """The releases, the newest first."""
    found = Release.objects.filter(name__startswith=beginning).order_by("-first_seen", "-id")
    return list(dict.fromkeys(found.values_list("name", flat=True)[:LIMIT]))


def errors(beginning: str) -> list[str]:
    """The types of exceptions that came last, with their modules or without."""
    newest = ErrorGroup.objects.order_by("-last_seen", "-id").exclude(exception_type="")
    known = dict.fromkeys(newest.values_list("exception_type", flat=True)[:_ERRORS])
    start = beginning.casefold()
    short = (whole.rpartition(".")[2] for whole in known)
    found = known if "." in start else dict.fromkeys(short)
    return [one for one in found if one.casefold().startswith(start)][:LIMIT]
