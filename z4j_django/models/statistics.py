"""What happened to tasks, counted: by minute, hour and day."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import PROJECT_HELP, IdentifierField


class Statistic(models.Model):
    """What happened in one minute, hour, day or ever to the tasks of a name, of a queue, or to all.

    A histogram is sparse: see ``z4j_django.histograms``.
    """

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    #: Seconds, and of what: see ``z4j_django.counters``. Days are those of UTC.
    step = models.IntegerField()
    scope = IdentifierField(max_length=8)
    name = IdentifierField(max_length=255, blank=True, default="")
    queue = IdentifierField(max_length=255, blank=True, default="")
    #: Its begin, in seconds since the epoch: no time zone moves it, nor has it an hour twice.
    at = models.BigIntegerField()

    sent = models.BigIntegerField(default=0, help_text="Messages published.")
    received = models.BigIntegerField(default=0, help_text="Messages that a worker took.")
    started = models.BigIntegerField(default=0, help_text="Runs that began.")
    succeeded = models.BigIntegerField(default=0, help_text="Runs that succeeded.")
    failed = models.BigIntegerField(default=0, help_text="Runs that failed.")
    retried = models.BigIntegerField(default=0, help_text="Runs that asked to be run again.")
    revoked = models.BigIntegerField(
        default=0, help_text="Tasks that were revoked or expired, and messages that were purged."
    )
    rejected = models.BigIntegerField(
        default=0, help_text="Messages that were rejected, those put back included."
    )
    ignored = models.BigIntegerField(default=0, help_text="Runs that ended as ignored.")
    sampled = models.BigIntegerField(
        default=0, help_text="Tasks that came to a good end and that a sample left out."
    )
    #: Histograms: how long tasks ran; and how long they waited after they were sent, or due.
    runs = models.BinaryField(default=b"")
    waits = models.BinaryField(default=b"")

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("statistic")
        verbose_name_plural = gettext_lazy("statistics")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "step", "scope", "name", "queue", "at"],
                name="z4j_statistic_place",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "step", "scope", "at"], name="z4j_statistic_at"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.name or self.queue} at {self.at}"


class StatisticsDelta(models.Model):
    """What one batch counts. Insert-only, until it is added to the statistics and deleted."""

    project = IdentifierField(max_length=64, default="default")
    #: See ``z4j_django.store.counting``.
    counts = models.BinaryField()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("statistics delta")
        verbose_name_plural = gettext_lazy("statistics deltas")

    def __str__(self) -> str:
        return f"delta {self.pk} of {self.project}"


class StatisticsRoster(models.Model):
    """Which names and queues of a project have statistics of their own.

    Whoever adds deltas to the statistics holds the row: one at a time, on whichever host.
    """

    project = IdentifierField(max_length=64)
    #: See ``z4j_django.store.roster``.
    places = models.BinaryField(default=b"")

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("statistics roster")
        verbose_name_plural = gettext_lazy("statistics rosters")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project"], name="z4j_roster_project"),
        ]

    def __str__(self) -> str:
        return f"roster of {self.project}"
