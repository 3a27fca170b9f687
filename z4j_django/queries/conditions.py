"""What each term means to the database; no index is needed for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, Final

from django.db import connections
from django.db.models import F, Func, Q, QuerySet, TextField
from django.db.models.lookups import Exact, GreaterThanOrEqual, LessThan, StartsWith

from z4j_django.models import TaskRecord
from z4j_django.queries import documents, keyset, lookups, shapes, tasks
from z4j_django.queries.terms import FREE, TERMS, Term

Tasks = QuerySet[TaskRecord]


def condition(term: Term, queryset: Tasks) -> Q:
    """The rows that ``term`` finds, of which it finds all.

    Args:
        term: The term.
        queryset: Where it will be used.
    """
    found = reduce(or_, (_any(term, value, queryset) for value in term.values))
    return ~found if term.negated else found


def is_of_every_task(term: Term) -> bool:
    """Whether it is a term on the project that finds all there are, as where there is only one."""
    if term.name != "project" or term.negated:
        return False
    known = lookups.projects(TaskRecord)
    is_all = len(known) < lookups.PROJECTS_LIMIT
    return is_all and set(known) <= {_text(value) for value in term.values}


def _any(term: Term, value: shapes.Value, queryset: Tasks) -> Q:
    if term.name == FREE:
        return reduce(or_, tasks.meanings(queryset, _text(value)))
    if isinstance(value, shapes.Json):
        return Q(documents.Holds(term.name, term.path, (value.text, *value.reads_as)))
    column = TERMS[term.name].column
    if isinstance(value, shapes.Range):
        return span(value).of(column)
    special = _SPECIAL.get(term.name)
    if special is not None:
        return special(value, queryset)
    if isinstance(value, shapes.Prefix):
        if not value.text:
            return ~Q(**{column: ""})
        return lookups.starts_with(queryset, column, value.text)
    return Q(**{column: value.text})


def _text(value: shapes.Value) -> str:
    assert isinstance(value, shapes.Exact | shapes.Prefix)  # noqa: S101 - what such a term holds
    return value.text


def span(value: shapes.Range) -> keyset.Span:
    """A range of moments, or of numbers."""
    return keyset.Span(value.low, value.high, value.with_low, value.with_high)


def _root(value: shapes.Value, queryset: Tasks) -> Q:
    text = _text(value)
    return Q(root_id=text) | Q(task_id=text) if text else Q(root_id=text)


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


def _error(value: shapes.Value, queryset: Tasks) -> Q:
    text = _text(value)
    whole, last = _Bytes(F("exception_type")), _Bytes(_Last(F("exception_type")))
    if isinstance(value, shapes.Exact):
        return Q(Exact(whole, text)) | (Q(Exact(last, text)) if text else Q())
    if not text:
        return ~Q(exception_type="")
    return reduce(or_, (_begins(queryset, one, text) for one in (whole, last)))


def _begins(queryset: Tasks, expression: Func, text: str) -> Q:
    if connections[queryset.db].vendor == "postgresql":
        return Q(StartsWith(expression, text))
    return Q(GreaterThanOrEqual(expression, text)) & Q(
        LessThan(expression, text + lookups.LAST_CHARACTER)
    )


_SPECIAL: Final[dict[str, Callable[[shapes.Value, Tasks], Q]]] = {"root": _root, "error": _error}
