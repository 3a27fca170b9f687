"""The routes, to be included by the project: ``path("z4j/api/", include("z4j_django.api.urls"))``.

Verbs and what belongs to a thing come before the thing's bare id, which may hold slashes.
"""

from __future__ import annotations

from typing import Any

from django.urls import re_path
from rest_framework.request import Request

from z4j_django.api import base, problems
from z4j_django.api.views import (
    acting,
    alerts,
    attention,
    bulk,
    errors,
    exports,
    graphs,
    groups,
    health,
    operations,
    queues,
    releases,
    schedules,
    schema,
    statistics,
    tasks,
    timetable,
    workers,
)

app_name = "z4j_api"


class UnknownView(base.View):
    """What no other route takes."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """There is nothing, whoever asks and by whatever method."""
        hint = "" if request.path.endswith(("/", ".csv", ".ndjson")) else " They end with a slash."
        raise problems.NotFound(f"There is no such address in this API.{hint}")


urlpatterns = [
    *schema.urlpatterns,
    *attention.urlpatterns,
    *health.urlpatterns,
    *operations.urlpatterns,
    *bulk.urlpatterns,
    *exports.urlpatterns,
    *graphs.urlpatterns,
    *alerts.urlpatterns,
    *acting.urlpatterns,
    *tasks.urlpatterns,
    *groups.urlpatterns,
    *errors.urlpatterns,
    *releases.urlpatterns,
    *statistics.urlpatterns,
    *queues.urlpatterns,
    *workers.urlpatterns,
    *timetable.urlpatterns,
    *schedules.urlpatterns,
    re_path(r"^[\s\S]*\Z", UnknownView.as_view()),
]
