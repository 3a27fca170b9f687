"""How far each journal segment has been stored."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import IdentifierField


class JournalCursor(models.Model):
    """The byte up to which a segment's events stand in the database.

    It moves in the same transaction as the events it covers: that is what makes delivery
    exactly once.
    """

    segment = IdentifierField(max_length=128)
    offset = models.BigIntegerField(default=0)
    #: Events of the segment that could not be read and were left out.
    skipped = models.IntegerField(default=0)
    #: When the segment was deleted: while it may lie on some host, its cursor stays.
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("journal cursor")
        verbose_name_plural = gettext_lazy("journal cursors")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["segment"], name="z4j_cursor_segment"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["deleted_at"], name="z4j_cursor_deleted"),
        ]

    def __str__(self) -> str:
        return f"{self.segment} at {self.offset}"
