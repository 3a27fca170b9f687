"""The original messages of tasks, sealed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import IdentifierField


class TaskPayload(models.Model):
    """The message that a task came with, as a retry needs it. Insert-only.

    Only ``z4j_django.operations`` opens it, and no surface shows it.
    """

    project = IdentifierField(max_length=64, default="default")
    task_id = IdentifierField(max_length=255)
    #: See ``z4j_django.secrets.sealing``; empty where the message was too large to be kept.
    sealed = models.BinaryField()
    #: Bytes of the message's body.
    size = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("task payload")
        verbose_name_plural = gettext_lazy("task payloads")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "task_id"], name="z4j_payload_project_task_id"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="z4j_payload_created"),
        ]

    def __str__(self) -> str:
        return f"payload of {self.task_id}"
