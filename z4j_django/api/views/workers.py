"""Workers."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path

from z4j_django.api import generic, pagination
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import HOSTNAME, PROJECT, Flag, Text
from z4j_django.api.serializers import workers as serializers
from z4j_django.api.serializers.pages import page_of
from z4j_django.models import WorkerRecord
from z4j_django.queries import workers


class WorkersView(generic.List):
    """``workers/``."""

    reads = "workerrecord"
    endpoints: ClassVar = {
        "get": Endpoint(
            "workers_list",
            "List workers",
            "The workers on record, those that came last first. With `q` or `online` a page may "
            "have fewer rows than asked for, or none, and still a next one: it looks through a "
            "bounded number of workers.",
            parameters=(
                Text("q", "Only workers whose hostname begins with this."),
                Flag(
                    "online",
                    "Only workers that never said goodbye, the silent ones included; or only those "
                    "that did.",
                ),
                PROJECT,
                *pagination.PAGE,
            ),
            answer=page_of(serializers.WorkerSerializer, "workers"),
        )
    }

    def wanted(self) -> generic.Wanted:
        """Those of a project, by the parameters."""
        asked = self.asked
        return workers.wanted(asked["project"], asked["q"], asked["online"]), ()


class WorkerView(generic.Detail):
    """``workers/{hostname}/``."""

    reads = "workerrecord"
    missing = "There is no worker of this name on record."
    endpoints: ClassVar = {
        "get": Endpoint(
            "workers_retrieve",
            "One worker, and what it did lately",
            "A worker, and the newest tasks that it took. To see these wants the permission to "
            "view tasks, too.",
            parameters=(HOSTNAME, PROJECT),
            answer=serializers.WorkerDetail,
            problems=(404,),
        )
    }

    def find(self) -> Any:
        """The worker."""
        rows = WorkerRecord.objects.filter(project=self.asked["project"])
        return generic.named(rows, "hostname", self.asked["hostname"])

    def beside(self, found: WorkerRecord) -> dict[str, Any]:
        """What it did lately, for whoever may view tasks."""
        sees = self.sees("taskrecord")
        return {"recent_tasks": workers.recent_tasks(found) if sees else None}


urlpatterns = [
    path("workers/", WorkersView.as_view(), name="workers"),
    path("workers/<z4j:hostname>/", WorkerView.as_view(), name="worker"),
]
