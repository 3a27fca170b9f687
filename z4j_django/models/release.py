"""A release of the project's code."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import PROJECT_HELP, AnyCharField, IdentifierField
from z4j_django.values import RELEASE_LENGTH


class Release(models.Model):
    """A release that processes of the project said they run."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    #: Made of the name, see ``z4j_django.values.release_key``; what stands on records.
    key = models.BigIntegerField(editable=False)
    name = AnyCharField(max_length=RELEASE_LENGTH, help_text="Its name, as the processes say it.")
    first_seen = models.DateTimeField(help_text="When anything of it was first recorded.")
    last_seen = models.DateTimeField(
        help_text="When anything of it was last recorded, to the minute."
    )

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("release")
        verbose_name_plural = gettext_lazy("releases")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "key"], name="z4j_release_project_key"),
        ]

    def __str__(self) -> str:
        return str(self.name)
