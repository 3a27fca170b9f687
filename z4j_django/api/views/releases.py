"""Releases of the project's code."""

from __future__ import annotations

from typing import ClassVar

from django.urls import path

from z4j_django.api import fields, generic, pagination
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import PROJECT
from z4j_django.models import Release
from z4j_django.queries import releases


class ReleaseSerializer(fields.Record):
    """A release that processes of the project said they run."""

    row = fields.Row("releases")
    tasks_url = fields.TasksAddress(
        release="name", project="project", help_text="Address of the list of its tasks."
    )

    class Meta:  # noqa: D106
        model = Release
        fields: tuple[str, ...] = ("row", "project", "name", "first_seen", "last_seen", "tasks_url")


class ReleasesView(generic.List):
    """``releases/``."""

    reads = "release"
    endpoints: ClassVar = {
        "get": Endpoint(
            "releases_list",
            "List releases",
            "The releases that tasks ran in, those that came last first.",
            parameters=(PROJECT, *pagination.PAGE),
            answer=pagination.page_of(ReleaseSerializer, "releases"),
        )
    }

    def wanted(self) -> generic.Wanted:
        """Those of a project."""
        return releases.wanted(self.asked["project"]), generic.EVERYTHING


urlpatterns = [path("releases/", ReleasesView.as_view(), name="releases")]
