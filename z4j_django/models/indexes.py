"""Indexes that leave out the rows which nobody looks up."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement


class PartialIndex(models.Index):
    """On PostgreSQL an index over some rows; elsewhere the same index over all of them.

    PostgreSQL uses it for every condition that implies ``where``. SQLite wants that condition
    spelled out in each query, and reads the whole table where one forgets. MySQL and MariaDB have
    none, and Django's own ``condition`` would warn every project that runs on them.

    Args:
        where: The rows to index.
        **kwargs: As ``models.Index`` takes them.
    """

    def __init__(self, *, where: models.Q, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.where = where

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **kwargs: Any,
    ) -> Statement:
        """The statement that makes it on the database of ``schema_editor``."""
        where = self.where if schema_editor.connection.vendor == "postgresql" else None
        index = models.Index(fields=self.fields, name=self.name, condition=where)
        return index.create_sql(model, schema_editor, using, **kwargs)

    def deconstruct(self) -> Any:
        """As Django asks; migrations name the public path of this class."""
        _, args, kwargs = super().deconstruct()
        path = "z4j_django.models.indexes.PartialIndex"
        return path, args, {**kwargs, "where": self.where}
