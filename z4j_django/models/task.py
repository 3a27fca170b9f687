"""A task's record and its timeline."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from z4j_django import states
from z4j_django.models.fields import PROJECT_HELP, AnyCharField, AnyTextField, IdentifierField
from z4j_django.models.indexes import PartialIndex

STATE_CHOICES = [(state, state) for state in states.ALL]


class TaskRecord(models.Model):
    """All that is known of one task: the merge of its events, in whatever order they came."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    task_id = IdentifierField(max_length=255, help_text="Its id, as Celery has it.")
    name = IdentifierField(
        max_length=255,
        blank=True,
        default="",
        help_text="Its name; empty where only its id is known.",
    )
    state = IdentifierField(
        max_length=16,
        choices=STATE_CHOICES,
        default=states.PENDING,
        help_text="Celery's name of its state.",
    )
    queue = IdentifierField(
        max_length=255, blank=True, default="", help_text="The queue that it was sent to."
    )
    exchange = IdentifierField(
        max_length=255, blank=True, default="", help_text="The exchange that it was sent to."
    )
    routing_key = IdentifierField(
        max_length=255, blank=True, default="", help_text="Its routing key."
    )
    priority = models.IntegerField(
        null=True, blank=True, help_text="Its priority, where it has one."
    )
    worker = IdentifierField(
        max_length=255, blank=True, default="", help_text="The worker that took it last."
    )
    pid = models.IntegerField(null=True, blank=True, help_text="The process that ran it last.")

    args = models.JSONField(
        null=True, blank=True, help_text="Its arguments: a copy for the eye, with secrets masked."
    )
    kwargs = models.JSONField(
        null=True, blank=True, help_text="Its keyword arguments, masked likewise."
    )
    result = models.JSONField(null=True, blank=True, help_text="What it returned, masked likewise.")
    exception_type = AnyCharField(
        max_length=255,
        blank=True,
        default="",
        help_text="The name of its exception's type, without modules.",
    )
    exception_message = AnyTextField(
        blank=True, default="", help_text="What the exception said, masked."
    )
    traceback = AnyTextField(blank=True, default="", help_text="Where it was raised, masked.")

    retries = models.IntegerField(default=0, help_text="How often it was retried by itself.")
    deliveries = models.IntegerField(default=0, help_text="How often a worker took it.")
    eta = models.DateTimeField(null=True, blank=True, help_text="Not to be run before.")
    expires = models.DateTimeField(null=True, blank=True, help_text="Not to be run after.")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When it was published first.")
    received_at = models.DateTimeField(
        null=True, blank=True, help_text="When a worker took it last."
    )
    started_at = models.DateTimeField(
        null=True, blank=True, help_text="When its newest attempt began."
    )
    finished_at = models.DateTimeField(
        null=True, blank=True, help_text="When its newest attempt ended."
    )
    runtime = models.FloatField(
        null=True, blank=True, help_text="How long its newest attempt ran, in seconds."
    )

    time_limit = models.IntegerField(
        null=True,
        blank=True,
        help_text="How many seconds its worker lets it run: its time limit, or its soft one "
        "where it has no other.",
    )

    progress = models.JSONField(
        null=True,
        blank=True,
        help_text="How far its newest attempt said it is: `current`, of `total`, and a `text`, "
        "masked.",
    )
    progress_at = models.DateTimeField(null=True, blank=True, help_text="When it said so last.")

    root_id = IdentifierField(
        max_length=255, blank=True, default="", help_text="The first task of its workflow."
    )
    parent_id = IdentifierField(
        max_length=255, blank=True, default="", help_text="The task that published it."
    )
    group_id = IdentifierField(
        max_length=255,
        blank=True,
        default="",
        help_text="The group or chord that it is a member of.",
    )
    group_index = models.IntegerField(
        null=True, blank=True, help_text="Its place in that group, from 0."
    )
    chord_id = IdentifierField(
        max_length=255, blank=True, default="", help_text="The body of the chord that it feeds."
    )
    next_steps = models.JSONField(
        null=True,
        blank=True,
        help_text="Ids and names of the steps of its chain that follow it, the first fifty.",
    )
    schedule = IdentifierField(
        max_length=255, blank=True, default="", help_text="The periodic task that published it."
    )
    origin = AnyCharField(
        max_length=255,
        blank=True,
        default="",
        help_text="The process that published it: `pid@host`.",
    )

    retry_of = IdentifierField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text="The task that an operator retried as this one.",
    )
    operation = models.BigIntegerField(
        null=True, blank=True, help_text="The number of the operation that published it."
    )

    trace_id = IdentifierField(
        max_length=32,
        blank=True,
        default="",
        db_default="",
        help_text="The trace that its message belongs to, by the header `traceparent`.",
    )
    parent_span_id = IdentifierField(
        max_length=16,
        blank=True,
        default="",
        db_default="",
        help_text="The span that published it, by the same header.",
    )

    #: Keys of the release whose word the state is, and of the error group that it is of, if any.
    release = models.BigIntegerField(null=True, blank=True, editable=False)
    error = models.BigIntegerField(null=True, blank=True, editable=False)

    #: What its state does not say; ``queries.status`` fills it in where it is shown.
    status: str | None = None
    #: The same sentence by sentence.
    said: Any = ()
    #: The name of its release; ``queries.releases`` fills it in likewise.
    release_name: str | None = None

    #: Keys of the merge, see ``z4j_django.store.folding``.
    attempt = models.BigIntegerField(default=0, editable=False)
    state_order = models.BigIntegerField(default=0, editable=False)
    facts_order = models.BigIntegerField(default=2**63 - 1, editable=False)

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("task")
        verbose_name_plural = gettext_lazy("tasks")
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
            PartialIndex(
                fields=["error", "id"], name="z4j_task_error", where=Q(error__isnull=False)
            ),
            PartialIndex(fields=["trace_id", "id"], name="z4j_task_trace", where=~Q(trace_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.name or 'unnamed task'} {self.task_id}"


class TaskEvent(models.Model):
    """One event in a task's life, as it was observed. Append-only."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    task_id = IdentifierField(max_length=255)
    kind = AnyCharField(
        max_length=16,
        help_text="What happened: `task_sent`, `task_started`, `task_failed` and so on.",
    )
    at = models.DateTimeField(help_text="When, by the clock of the process that saw it.")
    retries = models.IntegerField(default=0, help_text="How often it had been retried by itself.")
    worker = AnyCharField(
        max_length=255, blank=True, default="", help_text="The worker that it happened in."
    )
    pid = models.IntegerField(null=True, blank=True, help_text="The process that it happened in.")
    detail = AnyTextField(
        blank=True,
        default="",
        help_text="What the kind does not say: the exception's line, the reason of a revoke.",
    )

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("task event")
        verbose_name_plural = gettext_lazy("task events")
        indexes: ClassVar = [
            # Without the time: one task's few events sort in no time, and PostgreSQL then keeps
            # one key for all of them.
            models.Index(fields=["task_id"], name="z4j_event_task"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.task_id}"
