"""Reading where one writes: a replica may be behind, and what is acted on must not be."""

from __future__ import annotations

from typing import TypeVar

from django.db import models, router

M = TypeVar("M", bound=models.Model)


def primary(model: type[M]) -> models.QuerySet[M]:
    """All of ``model``, in the database that it is written to."""
    return model._default_manager.using(router.db_for_write(model))


def reread(instance: models.Model, *fields: str) -> None:
    """Read a row again from there, or some of its fields."""
    instance.refresh_from_db(using=router.db_for_write(type(instance)), fields=fields or None)


class PrimaryManager(models.Manager[M]):
    """Of what operators did: whoever has just done something looks at what came of it."""

    def get_queryset(self) -> models.QuerySet[M]:
        """As Django asks; a database that was chosen stands."""
        found = super().get_queryset()
        return found if self._db else found.using(router.db_for_write(self.model))
