"""A Celery worker, by its hostname."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from z4j_django.models.fields import IdentifierField


class WorkerRecord(models.Model):
    """The newest that a worker said of itself."""

    project = IdentifierField(max_length=64, default="default")
    hostname = IdentifierField(max_length=255)
    pid = models.IntegerField(null=True, blank=True)
    online = models.BooleanField(default=False)
    pool = models.CharField(max_length=64, blank=True, default="")
    concurrency = models.IntegerField(null=True, blank=True)
    queues = models.JSONField(default=list, blank=True)
    #: Celery's version, as the worker says it.
    version = models.CharField(max_length=64, blank=True, default="")
    started_at = models.DateTimeField(null=True, blank=True)
    last_seen = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)

    #: Key of the merge: microseconds since the epoch of the event that stands.
    state_order = models.BigIntegerField(default=0, editable=False)

    class Meta:  # noqa: D106
        verbose_name = "worker"
        verbose_name_plural = "workers"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "hostname"], name="z4j_worker_project_hostname"
            ),
        ]

    def __str__(self) -> str:
        return str(self.hostname)
