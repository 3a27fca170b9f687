"""Columns that hold any text, and those whose values are compared byte for byte."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

#: Of the column that every record has.
PROJECT_HELP: Final = "The project that it belongs to."


class _AnyText(models.Field):  # type: ignore[type-arg]  # not generic at run time
    """Says what the column is to hold, whatever its database's default is."""

    #: By the database's vendor: what follows the type.
    text_options: ClassVar = {"mysql": " CHARACTER SET utf8mb4"}

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """The column's type, with its character set or collation."""
        db_type = super().db_type(connection)
        return f"{db_type}{self.text_options.get(connection.vendor, '')}" if db_type else None

    def cast_db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """The type to cast to, which can't name them."""
        return super().db_type(connection)

    def deconstruct(self) -> Any:
        """As Django asks; migrations name the public path of this class."""
        name, _, args, kwargs = super().deconstruct()
        return name, f"z4j_django.models.fields.{type(self).__name__}", args, kwargs


class AnyCharField(_AnyText, models.CharField):  # type: ignore[type-arg]  # likewise
    """A ``CharField`` that holds every character.

    A database of MySQL or MariaDB that was made in ``utf8mb3`` gives its columns that, and no
    such column holds an emoji.
    """


class AnyTextField(_AnyText, models.TextField):  # type: ignore[type-arg]  # likewise
    """A ``TextField`` that holds every character."""


class IdentifierField(AnyCharField):
    """One that never takes two spellings for one value.

    MySQL and MariaDB compare text without regard to case by default, which would merge the
    tasks ``a1`` and ``A1``. PostgreSQL compares it in the order of a language, which keeps the
    search for a prefix from its index.
    """

    text_options: ClassVar = {"mysql": " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"}

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        """The column's type, and on PostgreSQL its collation.

        It is no part of the type there: of that, Django makes arrays to insert many rows with.
        """
        found = super().db_parameters(connection)
        return {**found, "collation": "C"} if connection.vendor == "postgresql" else found
