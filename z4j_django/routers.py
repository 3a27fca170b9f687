"""A database router that keeps the records in the database of ``Z4J["DATABASE"]``."""

from __future__ import annotations

from typing import Any

from z4j_django.conf import settings

APP_LABEL = "z4j_django"


class Z4JRouter:
    """Sends this app's models, and only them, to ``Z4J["DATABASE"]``.

    Add ``"z4j_django.routers.Z4JRouter"`` to ``DATABASE_ROUTERS``. Without ``Z4J["DATABASE"]``
    it has no opinion.
    """

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        """The alias to read ``model`` from, or ``None`` for no opinion."""
        return settings.DATABASE if model._meta.app_label == APP_LABEL else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Whether ``app_label`` may migrate on ``db``, or ``None`` for no opinion."""
        if settings.DATABASE is None:
            return None
        if app_label == APP_LABEL:
            return bool(db == settings.DATABASE)
        return None
