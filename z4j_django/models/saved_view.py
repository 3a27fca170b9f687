"""A filter that somebody gave a name."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from z4j_django.models.fields import AnyCharField, AnyTextField, IdentifierField
from z4j_django.models.primary import PrimaryManager


class SavedView(models.Model):
    """A filter of tasks under a name: its owner's alone, or everybody's who may see tasks."""

    #: The owner's primary key, as text: the users may be in another database.
    owner = IdentifierField(max_length=255, editable=False)
    owner_name = AnyCharField(max_length=255, editable=False, default="")
    name = IdentifierField(max_length=100, help_text=gettext_lazy("What the list calls it."))
    filter = AnyTextField(
        max_length=2000,
        help_text=gettext_lazy("As in the search box, such as state:FAILURE name:shop.*"),
    )
    shared = models.BooleanField(
        default=False,
        help_text=gettext_lazy("Everybody who may see tasks sees it beside their own."),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PrimaryManager()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("saved view")
        verbose_name_plural = gettext_lazy("saved views")
        default_permissions = ()
        permissions: ClassVar = [
            ("share_savedview", "Can share saved views, and change those that are shared")
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "name"], name="z4j_view_owner_name"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["shared", "name"], name="z4j_view_shared"),
        ]

    def __str__(self) -> str:
        return str(self.name)
