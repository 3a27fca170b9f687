"""Columns whose values are compared byte for byte on every database."""

from __future__ import annotations

from typing import Any, Final

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

#: Of the column that every record has.
PROJECT_HELP: Final = "The project that it belongs to."

_COLLATIONS: Final = {
    "mysql": " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "postgresql": ' COLLATE "C"',
}


class IdentifierField(models.CharField):  # type: ignore[type-arg]  # not generic at run time
    """A ``CharField`` that never takes two spellings for one value.

    MySQL and MariaDB compare text without regard to case by default, which would merge the
    tasks ``a1`` and ``A1``. PostgreSQL compares it in the order of a language, which keeps the
    search for a prefix from its index.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """The column's type, with the collation that compares bytes."""
        db_type = super().db_type(connection)
        return f"{db_type}{_COLLATIONS.get(connection.vendor, '')}" if db_type else None

    def cast_db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """The type to cast to, which can't name a collation."""
        return super().db_type(connection)

    def deconstruct(self) -> Any:
        """As Django asks; migrations name the public path of this class."""
        name, _, args, kwargs = super().deconstruct()
        return name, "z4j_django.models.fields.IdentifierField", args, kwargs
