"""A group, or the header of a chord."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from z4j_django.models.fields import IdentifierField


class GroupRecord(models.Model):
    """A group or chord. Its members are the tasks with this ``group_id``, by ``group_index``."""

    class Kind(models.TextChoices):
        """What becomes of the members' results."""

        GROUP = "group"
        CHORD = "chord"

    project = IdentifierField(max_length=64, default="default")
    group_id = IdentifierField(max_length=255)
    kind = models.CharField(max_length=5, choices=Kind.choices, default=Kind.GROUP)
    #: Members seen so far: one more than the greatest index.
    size = models.IntegerField(default=0)
    body_id = IdentifierField(max_length=255, blank=True, default="")
    body_name = models.CharField(max_length=255, blank=True, default="")
    root_id = IdentifierField(max_length=255, blank=True, default="")
    first_seen = models.DateTimeField()

    class Meta:  # noqa: D106
        verbose_name = "group"
        verbose_name_plural = "groups"
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
