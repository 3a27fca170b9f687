"""What is wrong now, how deep the queues were, and who looks after both."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import PROJECT_HELP, AnyCharField, AnyTextField, IdentifierField


class Lease(models.Model):
    """The right to do something for a project, which one process of all hosts has."""

    #: The name of the right to evaluate its conditions and to sample its queues.
    WATCH: ClassVar = "watch"
    #: The name of the row that is locked by whoever decides whom to tell what.
    ALERTS: ClassVar = "alerts"

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    name = IdentifierField(max_length=32, help_text="What it is the right to do.")
    holder = IdentifierField(
        max_length=255, blank=True, default="", help_text="The process that has it: `pid@host`."
    )
    until = models.DateTimeField(help_text="How long, by the database's clock.")
    done_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last done, by the database's clock."
    )

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("lease")
        verbose_name_plural = gettext_lazy("leases")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="z4j_lease_project_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.project}"


class QueueSample(models.Model):
    """How a queue was at one moment. Append-only."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    queue = IdentifierField(max_length=255, help_text="Its name.")
    at = models.DateTimeField(help_text="When, by the database's clock.")
    depth = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="How many messages waited; none where the broker did not tell.",
    )
    consumers = models.IntegerField(
        null=True,
        blank=True,
        help_text="How many consumers the broker knew; none where it does not tell.",
    )
    oldest_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the oldest task that waited was sent, as far as the records tell.",
    )
    unknown = AnyCharField(
        max_length=255, blank=True, default="", help_text="What was not told, and why."
    )

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("queue sample")
        verbose_name_plural = gettext_lazy("queue samples")
        indexes: ClassVar = [
            models.Index(fields=["project", "queue", "at"], name="z4j_sample_queue"),
            models.Index(fields=["project", "at"], name="z4j_sample_at"),
        ]

    def __str__(self) -> str:
        return f"{self.queue} at {self.at}"


class ConditionRecord(models.Model):
    """Something that was found to be wrong: once for as long as it holds."""

    class Severity(models.TextChoices):
        """How bad it is."""

        WARNING = "warning"
        CRITICAL = "critical"

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    key = IdentifierField(max_length=64, help_text="The condition's name.")
    subject = IdentifierField(
        max_length=255,
        blank=True,
        default="",
        help_text="The queue, worker, task type and so on; empty for the project as a whole.",
    )
    severity = AnyCharField(max_length=8, choices=Severity.choices, help_text="How bad it is.")
    since = models.DateTimeField(help_text="Since when it holds, as far as the records tell.")
    last_seen = models.DateTimeField(help_text="When it was last found to hold.")
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was found to hold no more."
    )
    evidence = AnyTextField(help_text="What was found, in words.")
    numbers = models.JSONField(default=dict, blank=True, help_text="The same in numbers.")
    #: True while it holds, else null, of which a unique key takes any number.
    is_open = models.BooleanField(null=True, default=True, editable=False)
    #: Rounds in a row in which it did not hold.
    missed = models.IntegerField(default=0, editable=False)

    #: What its declaration says; ``conditions.attention`` fills it in where it is shown.
    title: str = ""
    subject_kind: str = ""
    remedy: str = ""
    #: The filter's text that lists its tasks.
    tasks: str = ""

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("condition")
        verbose_name_plural = gettext_lazy("conditions")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "key", "subject", "is_open"], name="z4j_condition_open"
            ),
        ]
        indexes: ClassVar = [
            # What holds has no end, and is found here, too.
            models.Index(fields=["project", "ended_at"], name="z4j_condition_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.subject}".rstrip()
