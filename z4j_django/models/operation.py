"""What operators did, to what, and what came of it: the audit trail."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django import verbs
from z4j_django.models.fields import PROJECT_HELP, AnyCharField, AnyTextField, IdentifierField
from z4j_django.models.primary import PrimaryManager


class Operation(models.Model):
    """One thing that somebody asked for."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        RUNNING = "running"
        FINISHED = "finished"
        ABORTED = "aborted"

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    verb = IdentifierField(max_length=32, choices=verbs.choices, help_text="What was asked for.")
    state = IdentifierField(
        max_length=16,
        choices=State.choices,
        default=State.RUNNING,
        help_text="`waiting` for a worker, `running`, `finished`, or `aborted`.",
    )
    actor = AnyCharField(
        max_length=255, help_text="Who asked: a user's name, or what a program calls itself."
    )
    #: The user's primary key, as text; empty for a program.
    user_id = AnyCharField(max_length=255, blank=True, default="")
    surface = AnyCharField(
        max_length=16, help_text="By which way: `admin`, `api`, `command` or `python`."
    )
    parameters = models.JSONField(
        default=dict, blank=True, help_text="What was asked for besides, with secrets masked."
    )
    selection = models.JSONField(
        null=True,
        blank=True,
        help_text="The filter that the targets were found by; null where they were named.",
    )

    total = models.IntegerField(default=0, help_text="How many targets it has.")
    done = models.IntegerField(default=0, help_text="Those that were done.")
    refused = models.IntegerField(default=0, help_text="Those that were not done, for a reason.")
    failed = models.IntegerField(default=0, help_text="Those that were tried, and went wrong.")
    unknown = models.IntegerField(
        default=0, help_text="Those of which the broker or the workers did not tell in time."
    )

    created_at = models.DateTimeField(help_text="When it was asked for.")
    #: When it last did anything; one whose worker was killed is found by it.
    updated_at = models.DateTimeField(help_text="When it last did anything.")
    finished_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was over; null until then."
    )
    abort_requested = models.BooleanField(
        default=False, help_text="Whether somebody asked for its abort."
    )
    #: What only one operation at a time may be at, while it is; nothing for most.
    holds = IdentifierField(max_length=255, null=True, blank=True, editable=False)

    objects = PrimaryManager()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("operation")
        verbose_name_plural = gettext_lazy("operations")
        permissions: ClassVar = [(one.codename, one.words) for one in verbs.PERMISSIONS]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["holds"], name="z4j_operation_holds"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["verb", "id"], name="z4j_operation_verb"),
            models.Index(fields=["state", "id"], name="z4j_operation_state"),
        ]

    def __str__(self) -> str:
        return f"operation {self.pk}: {self.get_verb_display().lower()} by {self.actor}"


class OperationTarget(models.Model):
    """One task, group, queue, error, journal or worker that an operation was asked to act on."""

    class Kind(models.TextChoices):
        """What it is."""

        TASK = "task"
        GROUP = "group"
        QUEUE = "queue"
        ERROR = "error"
        JOURNAL = "journal"
        WORKER = "worker"
        SCHEDULE = "schedule"
        ALERT = "alert"
        SILENCE = "silence"
        CHANNEL = "channel"

    class Outcome(models.TextChoices):
        """What came of it. A broker that did not answer in time is ``unknown``, not ``failed``."""

        PENDING = "pending"
        #: Begun; found in a dead operation, nobody knows whether it was done.
        ACTING = "acting"
        DONE = "done"
        REFUSED = "refused"
        FAILED = "failed"
        UNKNOWN = "unknown"

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="targets")
    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    position = models.IntegerField(help_text="Its place among the targets, from 0.")
    kind = AnyCharField(
        max_length=8, choices=Kind.choices, default=Kind.TASK, help_text="What it is."
    )
    target = IdentifierField(
        max_length=255, help_text="Id of the task, group or error, or name of the queue or journal."
    )
    outcome = IdentifierField(
        max_length=16,
        choices=Outcome.choices,
        default=Outcome.PENDING,
        help_text="What came of it: `done`; `refused`, for a `reason`; `failed`; `unknown`, where "
        "the broker or the workers did not answer in time. `pending` or `acting` until then.",
    )
    reason = AnyTextField(blank=True, default="", help_text="The outcome in words.")
    result_id = IdentifierField(
        max_length=255,
        blank=True,
        default="",
        help_text="Id of the task or group that was published for it.",
    )
    at = models.DateTimeField(null=True, blank=True, help_text="When that came of it.")

    objects = PrimaryManager()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("target of an operation")
        verbose_name_plural = gettext_lazy("targets of operations")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operation", "position"], name="z4j_target_operation_position"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["target"], name="z4j_target_target"),
            models.Index(fields=["operation", "outcome"], name="z4j_target_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}: {self.outcome}"


class SavedMessage(models.Model):
    """A message that a purge or move took from its queue, sealed, so that it can be put back."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="messages")
    position = models.IntegerField()
    #: As the message's headers say; empty where they say none.
    task_id = IdentifierField(max_length=255, blank=True, default="")
    name = AnyCharField(max_length=255, blank=True, default="")
    sealed = models.BinaryField()
    #: Bytes of the message's body.
    size = models.BigIntegerField()
    #: When the broker had let go of it; until then it may still be in the queue.
    removed_at = models.DateTimeField(null=True, blank=True)
    #: When a move had put it into the other queue; nothing once it was taken from there again.
    moved_at = models.DateTimeField(null=True, blank=True)
    restored_at = models.DateTimeField(null=True, blank=True)

    objects = PrimaryManager()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("saved message")
        verbose_name_plural = gettext_lazy("saved messages")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operation", "position"], name="z4j_message_operation_position"
            ),
        ]

    def __str__(self) -> str:
        return f"message {self.position} of {self.operation_id}"
