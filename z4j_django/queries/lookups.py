"""Lookups that stay on an index, whatever the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connections, models
from django.db.models import Q
from django.db.models.expressions import RawSQL

#: Sorts after every other character, in UTF-8 and in ``utf8mb4_bin``.
LAST_CHARACTER = "\U0010ffff"

#: Projects that a search looks through, at most.
PROJECTS_LIMIT = 50


def distinct_values(
    rows: type[models.Model] | models.QuerySet[Any], field: str, limit: int, prefix: str = ""
) -> list[str]:
    """The first distinct values of an indexed column, without reading the whole index.

    Args:
        rows: The model to read; or a queryset of it, whose database is read, and whose condition
            is not asked.
        field: A text column, compared byte for byte, that an index begins with.
        limit: How many values at most.
        prefix: With what the values begin.

    Returns:
        The values in the database's order, the empty string left out.
    """
    model, alias = _where(rows)
    connection = connections[alias]
    if connection.vendor == "mysql":
        # The optimizer's own loose index scan; it can't use an index inside a recursive step.
        beginning = starts_with(model._default_manager.using(alias).all(), field, prefix)
        rows = model._default_manager.using(alias).filter(beginning, **{f"{field}__gt": ""})
        return list(rows.order_by(field).values_list(field, flat=True).distinct()[:limit])
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    column = quote(str(model._meta.get_field(field).column))  # type: ignore[union-attr]
    # An index may leave out what is empty, of which the value of a step says nothing.
    statement = (
        "WITH RECURSIVE step(value, position) AS ("  # noqa: S608 - quoted names, no input
        f"SELECT MIN({column}), 1 FROM {table} WHERE {column} > '' AND {column} >= %s UNION ALL "
        f"SELECT (SELECT MIN({column}) FROM {table} WHERE {column} > step.value "
        f"AND {column} <> ''), position + 1 "
        "FROM step WHERE step.value IS NOT NULL AND position < %s"
        ") SELECT value FROM step WHERE value IS NOT NULL ORDER BY position"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [prefix, limit])
        found = [row[0] for row in cursor.fetchall()]
    return [value for value in found if value.startswith(prefix)]


def projects(rows: type[models.Model] | models.QuerySet[Any]) -> list[str]:
    """The projects on record: the columns after ``project`` in an index need its value."""
    return distinct_values(rows, "project", PROJECTS_LIMIT)


def numbers(keys: Iterable[int]) -> RawSQL:
    """Some keys for ``pk__in``: a thousand parameters take longer than to find the rows."""
    return RawSQL(", ".join(f"{key:d}" for key in keys) or "NULL", ())  # noqa: S611 - numbers alone


def _where(rows: type[models.Model] | models.QuerySet[Any]) -> tuple[type[models.Model], str]:
    """The model, and the alias of the database that it is read from."""
    if isinstance(rows, models.QuerySet):
        return rows.model, rows.db
    return rows, rows._default_manager.db


def starts_with(queryset: models.QuerySet[Any], field: str, prefix: str) -> Q:
    """The condition that a text column begins with ``prefix``, in the form its index serves.

    Args:
        queryset: Where the condition will be used; its database decides the form.
        field: A column compared byte for byte (``IdentifierField``).
        prefix: The beginning; none means any text.

    Returns:
        A range on SQLite and MySQL, whose ``LIKE`` as Django writes it uses no index; ``LIKE`` on
        PostgreSQL, where a range means a prefix only under the collation ``C``.
    """
    if not prefix:
        return Q()
    if connections[queryset.db].vendor == "postgresql":
        return Q(**{f"{field}__startswith": prefix})
    return Q(**{f"{field}__gte": prefix, f"{field}__lt": prefix + LAST_CHARACTER})
