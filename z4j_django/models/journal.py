"""How the journals stand, and what was lost: so that silence is never taken for health."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import PROJECT_HELP, AnyCharField, IdentifierField


class JournalRecord(models.Model):
    """The newest that the shipper of one journal said of it."""

    host = IdentifierField(max_length=255, help_text="The machine that it is on.")
    directory = IdentifierField(max_length=255, help_text="Where it is there.")
    pid = models.IntegerField(default=0, help_text="The process that ships it.")
    segments = models.IntegerField(default=0, help_text="Its files.")
    size = models.BigIntegerField(default=0, help_text="Bytes on disk.")
    pending = models.BigIntegerField(default=0, help_text="Bytes that were not stored yet.")
    limit = models.BigIntegerField(null=True, blank=True, help_text="Bytes that it may take.")
    free = models.BigIntegerField(
        null=True, blank=True, help_text="Bytes that were left on its disk."
    )
    #: Time of the oldest event that was not stored yet.
    oldest = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(help_text="When its shipper last said so.")

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("journal")
        verbose_name_plural = gettext_lazy("journals")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "directory"], name="z4j_journal_place"),
        ]

    def __str__(self) -> str:
        return f"{self.host}:{self.directory}"


class JournalLoss(models.Model):
    """Events that are on record nowhere. Append-only."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    host = AnyCharField(max_length=255)
    reason = AnyCharField(max_length=16)
    count = models.BigIntegerField()
    at = models.DateTimeField()
    detail = AnyCharField(max_length=255, blank=True, default="")

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("loss")
        verbose_name_plural = gettext_lazy("losses")
        indexes: ClassVar = [
            models.Index(fields=["at"], name="z4j_loss_at"),
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.reason}"
