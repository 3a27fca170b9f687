"""Queues, and how many messages wait in each."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, lists, openapi, problems
from z4j_django.api.serializers import queues as serializers
from z4j_django.control import queue_depths
from z4j_django.models import TaskRecord
from z4j_django.queries import lookups, tasks

_QUEUE: Final[dict[str, Any]] = {
    "url": "https://example.com/z4j/api/queues/mail/",
    "name": "mail",
    "depth": 12,
    "known": True,
    "tasks_url": "https://example.com/z4j/api/tasks/?queue=mail",
}
_SILENT: Final = {**_QUEUE, "depth": None, "known": False}
_ABOUT: Final = (
    f"The broker has {queue_depths.TIMEOUT:g} seconds to tell; where it does not, `known` is false "
    "and `depth` is null. What a worker holds already does not wait any more."
)


class QueuesView(base.View):
    """``queues/``; the permission is that of the admin's page."""

    reads = "operation"

    @openapi.operation(
        "queues_list",
        tag="queues",
        summary="List queues",
        description=f"The queues that tasks on record were sent to, by name. {_ABOUT}",
        responses={200: serializers.QueueList},
        examples=[
            openapi.example("One queue", {"results": [_QUEUE], "more": False}),
            openapi.example("A broker that is silent", {"results": [_SILENT], "more": False}),
        ],
    )
    def get(self, request: Request) -> Response:
        """The first of them."""
        base.known_parameters(request, ())
        names = lookups.distinct_values(TaskRecord, "queue", tasks.CHOICES_LIMIT + 1)
        shown = names[: tasks.CHOICES_LIMIT]
        found = queue_depths.count_many(shown, queue_depths.TIMEOUT)
        rows = [serializers.queue(request, name, depth) for name, depth in found.items()]
        return Response({"results": rows, "more": len(names) > len(shown)})


class QueueView(base.View):
    """``queues/{name}/``."""

    reads = "operation"

    @openapi.operation(
        "queues_retrieve",
        tag="queues",
        summary="One queue",
        description=(
            f"A queue that a task on record was sent to, or in which messages wait. {_ABOUT}"
        ),
        parameters=[openapi.QUEUE],
        responses={200: serializers.QueueSerializer},
        problems=(404,),
        examples=[
            openapi.example("A queue", _QUEUE),
            openapi.example("A broker that is silent", _SILENT),
        ],
    )
    def get(self, request: Request, name: str) -> Response:
        """The queue."""
        base.known_parameters(request, ())
        if lists.may_be(name):
            depth = queue_depths.count(name, queue_depths.TIMEOUT)
            if depth or TaskRecord.objects.filter(queue=name).exists():
                return Response(serializers.queue(request, name, depth))
        raise problems.NotFound("There is no queue of this name on record.")


urlpatterns = [
    path("queues/", QueuesView.as_view(), name="queues"),
    path("queues/<z4j:name>/", QueueView.as_view(), name="queue"),
]
