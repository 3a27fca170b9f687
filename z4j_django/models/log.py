"""What tasks wrote to their logs."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import PROJECT_HELP, IdentifierField


class TaskLog(models.Model):
    """The newest lines of the log of one attempt of a task. Who may view tasks may view it."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    task_id = IdentifierField(max_length=255)
    #: Of the task, as ``z4j_django.store.folding`` numbers them.
    attempt = models.BigIntegerField()
    lines = models.JSONField(
        help_text="Moment, level, logger and text of each, in the order in which they were written."
    )
    dropped = models.IntegerField(help_text="How many lines were written before these.")
    #: Key of the merge: the newest word of an attempt stands.
    at = models.DateTimeField()

    class Meta:  # noqa: D106
        default_permissions = ()
        verbose_name = gettext_lazy("task log")
        verbose_name_plural = gettext_lazy("task logs")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "task_id", "attempt"], name="z4j_log_project_task_attempt"
            ),
        ]

    def __str__(self) -> str:
        return f"log of {self.task_id}"
