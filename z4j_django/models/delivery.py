"""What was told of what is wrong, what rules did about it, and who was called."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django import verbs
from z4j_django.models.alert import NAME_LENGTH
from z4j_django.models.fields import PROJECT_HELP, AnyCharField, AnyTextField, IdentifierField
from z4j_django.models.primary import PrimaryManager


class AlertNotice(models.Model):
    """What one channel was told by one rule of problems with one cause, while any of them holds."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    rule = IdentifierField(max_length=NAME_LENGTH, help_text="The name of the rule.")
    channel = IdentifierField(max_length=NAME_LENGTH, help_text="The name of the channel.")
    #: The key and the subject of the cause.
    group = IdentifierField(max_length=255, help_text="What its problems have in common.")
    severity = AnyCharField(max_length=8, help_text="The worst of its problems.")
    #: Its root, the causes that were named, and its problems (see ``alerts.telling``).
    members = models.JSONField(default=dict, editable=False)
    opened_at = models.DateTimeField(help_text="When the first of its problems was found.")
    #: Since when it is ready to be told; nothing while it is held back.
    ready_at = models.DateTimeField(null=True, blank=True, editable=False)
    told_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last told; nothing while it never was."
    )
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="When none of its problems held any more."
    )
    #: How many messages there were of it.
    number = models.IntegerField(default=0, editable=False)
    #: True while any of its problems holds, else null, of which a unique key takes any number.
    is_open = models.BooleanField(null=True, default=True, editable=False)

    objects = PrimaryManager()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("alert")
        verbose_name_plural = gettext_lazy("alerts")
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "rule", "channel", "group", "is_open"],
                name="z4j_notice_open",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "closed_at"], name="z4j_notice_closed"),
        ]

    def __str__(self) -> str:
        return f"{self.group} to {self.channel} by {self.rule}"


class AlertDelivery(models.Model):
    """One message to one channel: to be sent, or sent, with what came of it."""

    class Status(models.TextChoices):
        """What it says."""

        FIRING = "firing"
        RESOLVED = "resolved"
        TEST = "test"

    class State(models.TextChoices):
        """How it stands."""

        PENDING = "pending"
        #: Claimed; found with a dead process, nobody knows whether it arrived.
        SENDING = "sending"
        SENT = "sent"
        REFUSED = "refused"
        #: It may have arrived. It is not sent again.
        PERHAPS = "perhaps"
        FAILED = "failed"
        #: It was over, or said by a later one, before it could be sent.
        DROPPED = "dropped"

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    #: Nothing for a test.
    notice = models.ForeignKey(
        AlertNotice,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="deliveries",
    )
    number = models.IntegerField(default=0, help_text="Which message it is of its alert, from 1.")
    rule = IdentifierField(
        max_length=NAME_LENGTH, blank=True, default="", help_text="The name of the rule."
    )
    channel = IdentifierField(max_length=NAME_LENGTH, help_text="The name of the channel.")
    kind = IdentifierField(max_length=32, blank=True, default="", help_text="The channel's kind.")
    status = IdentifierField(
        max_length=8, choices=Status.choices, help_text="`firing`, `resolved` or `test`."
    )
    summary = AnyCharField(max_length=255, blank=True, default="", help_text="Its subject line.")
    #: What is sent, as JSON.
    message = models.JSONField(default=dict, editable=False)
    state = IdentifierField(
        max_length=8,
        choices=State.choices,
        default=State.PENDING,
        help_text="`pending`, `sending`; `sent`; `refused` by the channel; `perhaps`, where it may "
        "have arrived and is not sent again; `failed`, where it was given up; `dropped`, where it "
        "was over before it could be sent.",
    )
    attempts = models.IntegerField(default=0, help_text="How often it was tried.")
    created_at = models.DateTimeField(help_text="When it was to be sent first.")
    #: When it is tried next, by the database's clock.
    next_at = models.DateTimeField(help_text="When it is tried next, while it is `pending`.")
    claimed_by = IdentifierField(
        max_length=255, blank=True, default="", help_text="The process that sent it."
    )
    claimed_at = models.DateTimeField(null=True, blank=True, help_text="When it was last tried.")
    finished_at = models.DateTimeField(null=True, blank=True, help_text="When that came of it.")
    answer = AnyTextField(blank=True, default="", help_text="What the channel said.")

    objects = PrimaryManager()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("alert delivery")
        verbose_name_plural = gettext_lazy("alert deliveries")
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["notice", "number"], name="z4j_delivery_number"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "state", "next_at"], name="z4j_delivery_next"),
            models.Index(fields=["project", "created_at"], name="z4j_delivery_created"),
        ]

    def __str__(self) -> str:
        return f"{self.status} to {self.channel}: {self.state}"


class AlertAct(models.Model):
    """What a rule did by itself, or would have done."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    rule = IdentifierField(max_length=NAME_LENGTH, help_text="The name of the rule.")
    condition = IdentifierField(max_length=64, help_text="The key of the condition that held.")
    subject = IdentifierField(max_length=255, blank=True, default="", help_text="Of what it held.")
    #: Since when it held: how often it was done to it while it did, is counted by it.
    since = models.DateTimeField(editable=False)
    verb = IdentifierField(max_length=32, choices=verbs.choices, help_text="What was done.")
    is_dry_run = models.BooleanField(help_text="Whether it was only written down.")
    at = models.DateTimeField(help_text="When.")
    operation_id = models.BigIntegerField(
        null=True, blank=True, help_text="The operation; none for a dry run, or where it failed."
    )
    words = AnyTextField(blank=True, default="", help_text="What came of it, or would have.")
    stops = models.BooleanField(
        default=False, help_text="Whether the rule stopped with it, because it did not help."
    )

    objects = PrimaryManager()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("act of a rule")
        verbose_name_plural = gettext_lazy("acts of rules")
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["project", "rule", "at"], name="z4j_act_rule"),
            models.Index(fields=["project", "at"], name="z4j_act_at"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} by {self.rule}: {self.condition} {self.subject}".rstrip()


class AlertHeartbeat(models.Model):
    """When an address was last called that watches whether all goes well."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    schedule = IdentifierField(
        max_length=255,
        blank=True,
        default="",
        help_text="The schedule that it is of; empty: of the project as a whole.",
    )
    #: Of what it told last: the end of a schedule's run.
    told_of = models.DateTimeField(null=True, blank=True, editable=False)
    called_at = models.DateTimeField(null=True, blank=True, help_text="When it was last called.")
    is_ok = models.BooleanField(null=True, help_text="Whether it answered well.")
    answer = AnyTextField(
        blank=True, default="", help_text="What it answered, or why it was not called."
    )

    objects = PrimaryManager()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("heartbeat")
        verbose_name_plural = gettext_lazy("heartbeats")
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "schedule"], name="z4j_heartbeat_schedule"),
        ]

    def __str__(self) -> str:
        return str(self.schedule or self.project)
