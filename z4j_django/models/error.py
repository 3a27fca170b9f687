"""Failures of one task with one cause."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import PROJECT_HELP, AnyCharField, AnyTextField, IdentifierField
from z4j_django.values import RELEASE_LENGTH, error_id


class ErrorGroup(models.Model):
    """Failures of one task with one cause: see ``z4j_django.store.fingerprints``."""

    class State(models.TextChoices):
        """What somebody said of it."""

        OPEN = "open"
        RESOLVED = "resolved"
        IGNORED = "ignored"

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    #: Made of project, task name, type and cause; what stands on records.
    fingerprint = models.BigIntegerField(editable=False)
    name = IdentifierField(
        max_length=255,
        blank=True,
        default="",
        help_text="The name of the task; empty for the group of all failures beyond the limit.",
    )
    exception_type = AnyCharField(
        max_length=255, blank=True, default="", help_text="The type of the exception."
    )
    message = AnyTextField(
        blank=True, default="", help_text="What the newest exception said, masked."
    )
    traceback = AnyTextField(
        blank=True, default="", help_text="Where the newest was raised, masked."
    )
    task_id = IdentifierField(max_length=255, help_text="The task that failed so last.")
    count = models.BigIntegerField(default=0, help_text="How often a task failed so.")
    first_seen = models.DateTimeField(help_text="When a task failed so first.")
    last_seen = models.DateTimeField(help_text="When a task failed so last.")

    state = IdentifierField(
        max_length=8,
        choices=State.choices,
        default=State.OPEN,
        help_text="`open`; `resolved`, until it is seen again; `ignored`, for ever or for a time.",
    )
    resolved_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last said to be resolved."
    )
    #: Key of the release that resolved it: what was first seen before that does not reopen it.
    resolved_release = models.BigIntegerField(null=True, blank=True, editable=False)
    resolved_in = AnyCharField(
        max_length=RELEASE_LENGTH,
        blank=True,
        default="",
        help_text="The release that resolved it; empty where none was known.",
    )
    ignored_until = models.DateTimeField(
        null=True, blank=True, help_text="The moment until which it is ignored, if there is one."
    )
    ignored_count = models.BigIntegerField(
        null=True, blank=True, help_text="The count with which it is open again, if there is one."
    )
    regressed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When it was found that it came back after it was resolved; null where it did "
        "not, or somebody has seen to it since.",
    )

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("error")
        verbose_name_plural = gettext_lazy("errors")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "fingerprint"], name="z4j_error_project_fingerprint"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "state"], name="z4j_error_state"),
        ]

    def __str__(self) -> str:
        if not self.name and not self.exception_type:
            return "everything else"
        return f"{self.exception_type} in {self.name or 'an unnamed task'}"

    @property
    def error_id(self) -> str:
        """Its id, as people and programs give it."""
        return error_id(self.fingerprint)


class ErrorRelease(models.Model):
    """Those of the failures of a group that happened in one release."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    fingerprint = models.BigIntegerField()
    #: The release's key; 0 where the process knew of none.
    release = models.BigIntegerField()
    count = models.BigIntegerField(default=0)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("release of an error")
        verbose_name_plural = gettext_lazy("releases of errors")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "fingerprint", "release"], name="z4j_error_release"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.count} of {self.fingerprint} in {self.release}"
