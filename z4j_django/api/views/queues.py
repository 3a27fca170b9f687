"""Queues, and how many messages wait in each."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import fields, generic
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import QUEUE
from z4j_django.control import queue_depths
from z4j_django.queries import queues


class QueueSerializer(serializers.Serializer[Any]):
    """A queue."""

    url = fields.Address("queue", "name", help_text="Its address.")
    name = serializers.CharField(help_text="Its name.")
    depth = serializers.IntegerField(
        allow_null=True,
        help_text="How many messages wait in it, without those that a worker holds already; null "
        "where that is not known.",
    )
    known = serializers.BooleanField(
        help_text="False where the broker did not tell in time, or has no such queue."
    )
    tasks_url = fields.TasksAddress(
        queue="name", help_text="Address of the list of the tasks sent to it."
    )


class QueueList(serializers.Serializer[Any]):
    """Queues."""

    results = QueueSerializer(many=True, help_text=f"The queues by name, {queues.LIMIT} at most.")
    more = serializers.BooleanField(help_text="Whether there are others on record.")


_ABOUT: Final = (
    f"The broker has {queue_depths.TIMEOUT:g} seconds to tell; where it does not, `known` is false "
    "and `depth` is null. What a worker holds already does not wait any more."
)


class QueuesView(generic.Shown):
    """``queues/``; the permission is that of the admin's page."""

    reads = "operation"
    endpoints: ClassVar = {
        "get": Endpoint(
            "queues_list",
            "List queues",
            "The queues that tasks on record were sent to, or that a worker takes tasks from, by "
            f"name. {_ABOUT}",
            answer=QueueList,
        )
    }

    def get(self, request: Request) -> Response:
        """The first of them."""
        names = queues.names(queues.LIMIT + 1)
        found = queue_depths.count_many(names[: queues.LIMIT], queue_depths.TIMEOUT)
        rows = [_queue(name, depth) for name, depth in found.items()]
        return self.answer({"results": rows, "more": len(names) > len(rows)})


class QueueView(generic.Detail):
    """``queues/{name}/``."""

    reads = "operation"
    missing = "There is no queue of this name on record."
    endpoints: ClassVar = {
        "get": Endpoint(
            "queues_retrieve",
            "One queue",
            "A queue that a task on record was sent to, that a worker takes tasks from, or in "
            f"which messages wait. {_ABOUT}",
            parameters=(QUEUE,),
            answer=QueueSerializer,
            problems=(404,),
        )
    }

    def find(self) -> dict[str, Any] | None:
        """The queue."""
        name = self.asked["name"]
        if not generic.may_be(name):
            return None
        depth = queue_depths.count(name, queue_depths.TIMEOUT)
        return _queue(name, depth) if depth or queues.is_known(name) else None


def _queue(name: str, depth: int | None) -> dict[str, Any]:
    return {"name": name, "depth": depth, "known": depth is not None}


urlpatterns = [
    path("queues/", QueuesView.as_view(), name="queues"),
    path("queues/<z4j:name>/", QueueView.as_view(), name="queue"),
]
