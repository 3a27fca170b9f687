"""A Celery worker, by its hostname."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import PROJECT_HELP, AnyCharField, IdentifierField


class WorkerRecord(models.Model):
    """The newest that a worker said of itself."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    hostname = IdentifierField(max_length=255, help_text="Its name, as `celery status` has it.")
    pid = models.IntegerField(null=True, blank=True, help_text="Its main process.")
    online = models.BooleanField(default=False)
    pool = AnyCharField(
        max_length=64,
        blank=True,
        default="",
        help_text="What kind of pool it has, such as `prefork`.",
    )
    concurrency = models.IntegerField(
        null=True, blank=True, help_text="How many processes, threads or greenlets the pool has."
    )
    queues = models.JSONField(
        default=list, blank=True, help_text="The queues that it takes tasks from."
    )
    version = AnyCharField(max_length=64, blank=True, default="", help_text="Celery's version.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="When it came up.")
    last_seen = models.DateTimeField(null=True, blank=True, help_text="When it last said anything.")
    stopped_at = models.DateTimeField(null=True, blank=True, help_text="When it last said goodbye.")

    #: Key of the merge: microseconds since the epoch of the event that stands.
    state_order = models.BigIntegerField(default=0, editable=False)

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("worker")
        verbose_name_plural = gettext_lazy("workers")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "hostname"], name="z4j_worker_project_hostname"
            ),
        ]

    def __str__(self) -> str:
        return str(self.hostname)
