"""A task's record and its timeline."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from z4j_django import states
from z4j_django.models.fields import IdentifierField
from z4j_django.models.indexes import PartialIndex

STATE_CHOICES = [(state, state) for state in states.ALL]


class TaskRecord(models.Model):
    """All that is known of one task: the merge of its events, in whatever order they came."""

    project = IdentifierField(max_length=64, default="default")
    task_id = IdentifierField(max_length=255)
    name = IdentifierField(max_length=255, blank=True, default="")
    state = IdentifierField(max_length=16, choices=STATE_CHOICES, default=states.PENDING)
    queue = IdentifierField(max_length=255, blank=True, default="")
    exchange = IdentifierField(max_length=255, blank=True, default="")
    routing_key = IdentifierField(max_length=255, blank=True, default="")
    priority = models.IntegerField(null=True, blank=True)
    worker = IdentifierField(max_length=255, blank=True, default="")
    pid = models.IntegerField(null=True, blank=True)

    #: Redacted copies for the eye. The message itself is never shown.
    args = models.JSONField(null=True, blank=True)
    kwargs = models.JSONField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    exception_type = models.CharField(max_length=255, blank=True, default="")
    exception_message = models.TextField(blank=True, default="")
    traceback = models.TextField(blank=True, default="")

    retries = models.IntegerField(default=0)
    deliveries = models.IntegerField(default=0)
    eta = models.DateTimeField(null=True, blank=True)
    expires = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    #: Seconds of the newest attempt, by a clock that no one sets.
    runtime = models.FloatField(null=True, blank=True)

    root_id = IdentifierField(max_length=255, blank=True, default="")
    parent_id = IdentifierField(max_length=255, blank=True, default="")
    group_id = IdentifierField(max_length=255, blank=True, default="")
    group_index = models.IntegerField(null=True, blank=True)
    #: The task id of the chord's body that this task feeds.
    chord_id = IdentifierField(max_length=255, blank=True, default="")
    #: The periodic task that published it (``django-celery-beat``'s name).
    schedule = IdentifierField(max_length=255, blank=True, default="")
    #: Who published it, as ``pid@host``.
    origin = models.CharField(max_length=255, blank=True, default="")

    #: The task that this one retries, and the number of the operation that published it.
    retry_of = IdentifierField(max_length=255, blank=True, default="", db_default="")
    operation = models.BigIntegerField(null=True, blank=True)

    #: Keys of the merge, see ``z4j_django.store.folding``.
    attempt = models.BigIntegerField(default=0, editable=False)
    state_order = models.BigIntegerField(default=0, editable=False)
    facts_order = models.BigIntegerField(default=2**63 - 1, editable=False)

    class Meta:  # noqa: D106
        verbose_name = "task"
        verbose_name_plural = "tasks"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "task_id"], name="z4j_task_project_task_id"),
        ]
        indexes: ClassVar = [
            PartialIndex(
                fields=["state", "id"], name="z4j_task_state", where=~Q(state=states.SUCCESS)
            ),
            models.Index(fields=["name", "id"], name="z4j_task_name"),
            models.Index(fields=["queue", "id"], name="z4j_task_queue"),
            PartialIndex(fields=["worker", "id"], name="z4j_task_worker", where=~Q(worker="")),
            PartialIndex(
                fields=["group_id", "group_index"], name="z4j_task_group", where=~Q(group_id="")
            ),
            PartialIndex(
                fields=["parent_id", "id"], name="z4j_task_parent", where=~Q(parent_id="")
            ),
            PartialIndex(fields=["retry_of", "id"], name="z4j_task_retry", where=~Q(retry_of="")),
            # Most tasks are their own root, and are found by their id.
            PartialIndex(
                fields=["root_id", "id"],
                name="z4j_task_root",
                where=~Q(root_id="") & ~Q(root_id=F("task_id")),
            ),
            PartialIndex(
                fields=["schedule", "id"], name="z4j_task_schedule", where=~Q(schedule="")
            ),
            models.Index(fields=["sent_at", "id"], name="z4j_task_sent"),
        ]

    def __str__(self) -> str:
        return f"{self.name or 'unnamed task'} {self.task_id}"


class TaskEvent(models.Model):
    """One event in a task's life, as it was observed. Append-only."""

    project = IdentifierField(max_length=64, default="default")
    task_id = IdentifierField(max_length=255)
    kind = models.CharField(max_length=16)
    at = models.DateTimeField()
    retries = models.IntegerField(default=0)
    worker = models.CharField(max_length=255, blank=True, default="")
    pid = models.IntegerField(null=True, blank=True)
    #: What the kind alone does not say: the exception's line, the reason of a revoke.
    detail = models.TextField(blank=True, default="")

    class Meta:  # noqa: D106
        verbose_name = "task event"
        verbose_name_plural = "task events"
        indexes: ClassVar = [
            # Without the time: one task's few events sort in no time, and PostgreSQL then keeps
            # one key for all of them.
            models.Index(fields=["task_id"], name="z4j_event_task"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.task_id}"
