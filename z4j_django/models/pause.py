"""Queues that are paused, and the workers that were told to take nothing from them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import PROJECT_HELP, AnyCharField, AnyTextField, IdentifierField
from z4j_django.models.primary import PrimaryManager


class PausedQueue(models.Model):
    """A queue from which no worker is to take tasks."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    queue = IdentifierField(max_length=255, help_text="Its name.")
    paused_by = AnyCharField(max_length=255, help_text="Who paused it.")
    reason = AnyTextField(blank=True, default="", help_text="Why, in words.")
    since = models.DateTimeField(help_text="Since when it is paused.")
    until = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When it is resumed by itself; null: by somebody who resumes it.",
    )
    #: From then on it is paused no more, and kept until all who took from it do so again.
    resumed_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: When the workers told last what they take from.
    looked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = PrimaryManager()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("paused queue")
        verbose_name_plural = gettext_lazy("paused queues")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "queue"], name="z4j_paused_queue"),
        ]

    def __str__(self) -> str:
        return f"{self.queue}, paused by {self.paused_by}"


class PausedConsumer(models.Model):
    """A worker that takes from a paused queue once that is resumed."""

    pause = models.ForeignKey(PausedQueue, on_delete=models.CASCADE, related_name="consumers")
    hostname = IdentifierField(max_length=255, help_text="Its name.")
    #: Whether it takes tasks all the same: it was told not to, and did not answer.
    consumes = models.BooleanField(default=False)
    at = models.DateTimeField(help_text="When it was last told.")

    objects = PrimaryManager()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("worker of a paused queue")
        verbose_name_plural = gettext_lazy("workers of paused queues")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pause", "hostname"], name="z4j_paused_consumer"),
        ]

    def __str__(self) -> str:
        return f"{self.hostname} of {self.pause_id}"
