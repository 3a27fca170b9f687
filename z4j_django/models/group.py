"""A group, or the header of a chord."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import PROJECT_HELP, AnyCharField, IdentifierField


class GroupRecord(models.Model):
    """A group or chord. Its members are the tasks with this ``group_id``, by ``group_index``."""

    class Kind(models.TextChoices):
        """What becomes of the members' results."""

        GROUP = "group"
        CHORD = "chord"

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    group_id = IdentifierField(max_length=255, help_text="Its id, as Celery has it.")
    kind = AnyCharField(
        max_length=5,
        choices=Kind.choices,
        default=Kind.GROUP,
        help_text="`chord` where a body takes the members' results, else `group`.",
    )
    size = models.IntegerField(
        default=0, help_text="How many members it has, as far as they were seen."
    )
    body_id = IdentifierField(
        max_length=255,
        blank=True,
        default="",
        help_text="The chord's body; empty for a group. A body may be a group or chord itself: "
        "then the id of that group.",
    )
    body_name = AnyCharField(
        max_length=255,
        blank=True,
        default="",
        help_text="The name of that task; `celery.group` or `celery.chord` where it is none.",
    )
    root_id = IdentifierField(
        max_length=255,
        blank=True,
        default="",
        help_text="The first task of its workflow; empty where no task published it.",
    )
    first_seen = models.DateTimeField(help_text="When the first of its members was seen.")

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("group")
        verbose_name_plural = gettext_lazy("groups")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "group_id"], name="z4j_group_project_group_id"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["body_id"], name="z4j_group_body"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.group_id}"
