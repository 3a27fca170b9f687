"""What the values of a term mean to the database: a condition, and the index ranges of their rows.

A condition needs no index. Ranges are ``None`` where the values have too many of them to lead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any, Final, TypeAlias

from django.db import connections
from django.db.models import F, Func, Q, QuerySet, TextField
from django.db.models import lookups as expressions

from z4j_django import states
from z4j_django.models import TaskRecord
from z4j_django.queries import lookups, pages, tasks
from z4j_django.queries.filter.values import Duration, Exact, Prefix, Range, Status, Value, text
from z4j_django.queries.index_ranges import IndexRange
from z4j_django.queries.status import STATUSES
from z4j_django.values import of_error_id, release_key

Tasks: TypeAlias = QuerySet[TaskRecord]
#: What one value finds, for use in a queryset.
Condition: TypeAlias = Callable[[Value, Tasks], Q]
#: Where the rows of some values lie.
Ranges: TypeAlias = Callable[[Sequence[Value], Tasks], "list[IndexRange] | None"]

#: Values that a term leads along, at most.
VALUES_LIMIT: Final = 50
#: The states whose tasks have an exception.
WITH_ERROR: Final = (states.FAILURE, states.RETRY, states.REJECTED)


def has(column: str, value: Value, queryset: Tasks) -> Q:
    """A column has the value, begins with it, or lies in it."""
    if isinstance(value, Range):
        return value.span.of(column)
    if isinstance(value, Prefix):
        begins = lookups.starts_with(queryset, column, value.text)
        return begins if value.text else ~Q(**{column: ""})
    return Q(**{column: text(value)})


def along(column: str) -> Ranges:
    """The ranges of the index that begins with ``column``, one for each value on record."""

    def ranges(values: Sequence[Value], queryset: Tasks) -> list[IndexRange] | None:
        found = texts(column, values, queryset)
        if found is None:
            return None
        return [IndexRange(column=column, value=one) for one in found]

    return ranges


def texts(column: str, values: Sequence[Value], queryset: Tasks) -> list[str] | None:
    """The texts on record that some values mean; ``None`` where they are too many."""
    found: dict[str, None] = {}
    for value in values:
        if isinstance(value, Prefix):
            known = lookups.distinct_values(queryset, column, VALUES_LIMIT + 1, value.text)
            found |= dict.fromkeys(known)
        else:
            found[text(value)] = None
    return list(found) if len(found) <= VALUES_LIMIT else None


def by_id(values: Sequence[Value], queryset: Tasks) -> list[IndexRange]:
    """The index on task ids begins with the project."""
    projects, ids = lookups.projects(queryset), list(map(text, values))
    return [IndexRange(Q(project__in=projects, task_id__in=ids), is_few=True)]


def in_group(values: Sequence[Value], queryset: Tasks) -> list[IndexRange]:
    """Its index is in the order of the members."""
    return [IndexRange(Q(group_id__in=list(map(text, values))), is_few=True)]


def of_root(value: Value, queryset: Tasks) -> Q:
    """A task that is its own root is one of its own, too."""
    root = text(value)
    return Q(root_id=root) | Q(task_id=root) if root else Q(root_id=root)


def by_root(values: Sequence[Value], queryset: Tasks) -> list[IndexRange]:
    """The index has no task that is its own root, as most are."""
    others = ~Q(root_id="") & ~Q(root_id=F("task_id"))
    roots = [IndexRange(others, "root_id", text(value)) for value in values]
    return [*by_id(values, queryset), *roots]


def of_word(value: Value, queryset: Tasks) -> Q:
    """What a person may mean by a word."""
    return reduce(or_, tasks.meanings(queryset, text(value)))


def by_word(values: Sequence[Value], queryset: Tasks) -> list[IndexRange] | None:
    """The ids and the names that a person may mean, where they are few enough."""
    (word,) = map(text, values)
    found = tasks.ranges(queryset, word)
    if len(found) > tasks.MATCHING_NAMES_LIMIT:
        return None
    # Ids of a project's own making may have one beginning.
    if tasks.is_prefix(word) and not pages.is_small(queryset, found[:1]):
        return None
    return found


def by_failure(values: Sequence[Value], queryset: Tasks) -> list[IndexRange]:
    """A task has its error in one of several states."""
    return [IndexRange(column="state", value=state) for state in WITH_ERROR]


def of_status(value: Value, queryset: Tasks) -> Q:
    """A status at the moment of the filter."""
    assert isinstance(value, Status)  # noqa: S101 - what such a term holds
    return STATUSES[value.text].holds(value.now)


def of_runtime(value: Value, queryset: Tasks) -> Q:
    """How long the newest attempt ran, or has been running, or ran until it was killed."""
    assert isinstance(value, Duration)  # noqa: S101 - what such a term holds
    span, unknown = value.span, Q(runtime=None, started_at__isnull=False)
    runs, killed = unknown & Q(state=states.STARTED), unknown & ~Q(state=states.STARTED)
    killed &= Q(finished_at__isnull=False)
    # Clocks of two hosts may disagree: what comes out negative counts as zero.
    if span.low is not None and (span.low > 0 or not span.with_low):
        least, sign = timedelta(seconds=span.low), "e" if span.with_low else ""
        runs &= Q(**{f"started_at__lt{sign}": value.now - least})
        killed &= Q(**{f"finished_at__gt{sign}": F("started_at") + least})
    if span.high is not None:
        most, sign = timedelta(seconds=span.high), "e" if span.with_high else ""
        runs &= Q(**{f"started_at__gt{sign}": value.now - most})
        killed &= Q(**{f"finished_at__lt{sign}": F("started_at") + most})
    return has("runtime", value, queryset) | runs | killed


def by_status(values: Sequence[Value], queryset: Tasks) -> list[IndexRange]:
    """The states that the tasks are in, or where else an index has them."""
    found: list[IndexRange] = []
    for value in values:
        found += [one for one in STATUSES[text(value)].ranges(queryset) if one not in found]
    return found


def of_release(value: Value, queryset: Tasks) -> Q:
    """Records have a number in the place of its name."""
    return Q(release=release_key(text(value)))


def error_of(value: Value) -> int | None:
    """The fingerprint of the error whose id a value is."""
    return of_error_id(value.text) if isinstance(value, Exact) else None


def along_errors(values: Sequence[Value], queryset: Tasks) -> list[IndexRange]:
    """The tasks of an error lie together."""
    found = filter(None, map(error_of, values))
    return [IndexRange(column="error", value=one) for one in dict.fromkeys(found)]


def of_error(value: Value, queryset: Tasks) -> Q:
    """An exception's type by its whole name, or by what follows the last dot; or an error's id."""
    if fingerprint := error_of(value):
        return Q(error=fingerprint)
    error = text(value)
    whole, last = _Bytes(F("exception_type")), _Bytes(_Last(F("exception_type")))
    if isinstance(value, Exact):
        same = Q(expressions.Exact(whole, error))
        return same | Q(expressions.Exact(last, error)) if error else same
    if not error:
        return ~Q(exception_type="")
    return reduce(or_, (_begins(queryset, one, error) for one in (whole, last)))


def _begins(queryset: Tasks, expression: Func, beginning: str) -> Q:
    if connections[queryset.db].vendor == "postgresql":
        return Q(expressions.StartsWith(expression, beginning))
    return Q(expressions.GreaterThanOrEqual(expression, beginning)) & Q(
        expressions.LessThan(expression, beginning + lookups.LAST_CHARACTER)
    )


class _Bytes(Func):
    """A text that is compared byte for byte: its column has the database's own collation."""

    template = "%(expressions)s"
    output_field = TextField()

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """By default it takes no notice of case."""
        template = "(CONVERT(%(expressions)s USING utf8mb4) COLLATE utf8mb4_bin)"
        return self.as_sql(compiler, connection, template=template, **context)


class _Last(Func):
    """What follows the last dot of a text; all of it where there is none."""

    template = "SUBSTRING(%(expressions)s FROM '[^.]*$')"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Without what is left when all but dots is cut from its end."""
        template = (
            "SUBSTR(%(expressions)s, 1 + LENGTH(RTRIM(%(expressions)s, "
            "REPLACE(%(expressions)s, '.', ''))))"
        )
        return self.as_sql(compiler, connection, template=template, **context)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """It has a function for this."""
        template = "SUBSTRING_INDEX(%(expressions)s, '.', -1)"
        return self.as_sql(compiler, connection, template=template, **context)
