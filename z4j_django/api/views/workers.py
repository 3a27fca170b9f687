"""Workers."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import permissions
from z4j_django.api import base, lists, openapi, pagination, problems
from z4j_django.api.serializers import workers as serializers
from z4j_django.models import WorkerRecord
from z4j_django.queries import workers

_SEARCH: Final = openapi.parameter(
    "q", "Only workers whose hostname begins with this.", example="w1@", minLength=1, maxLength=255
)
_ONLINE: Final = openapi.parameter(
    "online",
    "Only workers that never said goodbye, the silent ones included; or only those that did.",
    enum=("true", "false"),
)
_WORKER: Final[dict[str, Any]] = {
    "url": "https://example.com/z4j/api/workers/w1@shop/",
    "row": 3,
    "project": "default",
    "hostname": "w1@shop",
    "presence": "online",
    "pid": 4711,
    "pool": "prefork",
    "concurrency": 8,
    "queues": ["celery", "mail"],
    "version": "5.6.0",
    "started_at": "2026-11-01T06:00:00.000000Z",
    "last_seen": "2026-11-01T12:00:00.000000Z",
    "stopped_at": None,
}


class WorkersView(base.View):
    """``workers/``."""

    reads = "workerrecord"

    @openapi.operation(
        "workers_list",
        tag="workers",
        summary="List workers",
        description=(
            "The workers on record, those that came last first. With `q` or `online` a page may "
            "have fewer rows than asked for, or none, and still a next one: it looks through a "
            "bounded number of workers."
        ),
        parameters=[_SEARCH, _ONLINE, lists.PROJECT, *pagination.DESCRIBED],
        responses={200: serializers.WorkerPage},
        examples=[
            openapi.example("One worker", {"next": None, "previous": None, "results": [_WORKER]})
        ],
    )
    def get(self, request: Request) -> Response:
        """A page."""
        base.known_parameters(request, ("q", "online", "project", *pagination.PARAMETERS))
        online = lists.choice_of(request, "online", ("true", "false"))
        wanted = workers.wanted(
            base.project_of(request),
            beginning=lists.text_of(request, "q"),
            online=online == "true" if online else None,
        )
        page = pagination.id_page(request, wanted)
        rows = [serializers.worker(request, worker) for worker in page.rows]
        return Response(pagination.body(request, page, rows))


class WorkerView(base.View):
    """``workers/{hostname}/``."""

    reads = "workerrecord"

    @openapi.operation(
        "workers_retrieve",
        tag="workers",
        summary="One worker, and what it did lately",
        description=(
            "A worker, and the newest tasks that it took. To see these wants the permission to "
            "view tasks, too."
        ),
        parameters=[openapi.HOSTNAME, lists.PROJECT],
        responses={200: serializers.WorkerDetail},
        problems=(404,),
        examples=[
            openapi.example(
                "A worker that took nothing yet",
                {
                    **_WORKER,
                    "tasks_url": "https://example.com/z4j/api/tasks/?worker=w1%40shop",
                    "recent_tasks": [],
                },
            )
        ],
    )
    def get(self, request: Request, hostname: str) -> Response:
        """The worker."""
        base.known_parameters(request, ("project",))
        wanted = WorkerRecord.objects.filter(project=base.project_of(request))
        worker = lists.named(wanted, "hostname", hostname)
        if worker is None:
            raise problems.NotFound("There is no worker of this name on record.")
        recent = None
        if permissions.can_view(base.actor_of(request), "taskrecord"):
            recent = workers.recent_tasks(worker)
        return Response(serializers.detail(request, worker, recent))


urlpatterns = [
    path("workers/", WorkersView.as_view(), name="workers"),
    path("workers/<z4j:hostname>/", WorkerView.as_view(), name="worker"),
]
