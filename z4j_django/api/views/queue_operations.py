"""Empty a queue, and put back what was in it."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import operations
from z4j_django.api import base, openapi, operating
from z4j_django.api.serializers import requests
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation
from z4j_django.queries import operations as queries


class PurgeView(base.View):
    """``queues/{name}/purge/``."""

    verb = "purge_queue"

    @openapi.operation(
        "queues_purge",
        tag="queues",
        summary="Purge a queue",
        description=(
            "Takes out as many messages as lie in it now, and keeps them; `restore` puts them "
            "back. What a worker holds already runs on. The broker has 10 seconds for each answer."
        ),
        parameters=[openapi.QUEUE, openapi.LOCATION],
        request=requests.PurgeQueue,
        responses=operating.ACCEPTED,
        problems=(409,),
        examples=[
            openapi.example("The name once more", {"confirm": "mail"}, request=True),
            operating.example(
                "All of it",
                "purge_queue",
                ("mail", "done", "All 1,204 messages were saved and removed."),
                parameters={"queue": "mail", "counted": 1204, "removed": 1204},
            ),
        ],
    )
    def post(self, request: Request, name: str) -> Response:
        """Purge it, where its name was typed back."""
        base.known_parameters(request, ())
        given = operating.body_of(request, requests.PurgeQueue)
        with operating.refusals_to(request):
            operation = operations.purge_queue(name, actor=request.user, surface="api", **given)
        return operating.answer(request, operation)


class RestoreView(base.View):
    """``queues/{name}/restore/``."""

    verb = "restore"

    @openapi.operation(
        "queues_restore",
        tag="queues",
        summary="Put back what a purge removed",
        description=(
            "Publishes each message as it was, straight to its queue. Where it was cut off, it "
            "can be asked for again: what is in the queue or was received is not put back twice."
        ),
        parameters=[openapi.QUEUE, openapi.LOCATION],
        request=requests.RestoreQueue,
        responses=operating.ACCEPTED,
        problems=(409,),
        examples=[
            openapi.example("What operation 7 purged", {"operation": 7}, request=True),
            operating.example(
                "All of it",
                "restore",
                ("mail", "done", "All 1,204 messages were put back."),
                parameters={"queue": "mail", "restores": 7, "saved": 1204, "restored": 1204},
            ),
        ],
    )
    def post(self, request: Request, name: str) -> Response:
        """Put it back."""
        base.known_parameters(request, ())
        number = operating.body_of(request, requests.RestoreQueue)["operation"]
        purge = queries.find(number)
        with operating.refusals_to(request):
            if (
                purge is None
                or purge.verb != Operation.Verb.PURGE_QUEUE
                or purge.parameters.get("queue") != name
            ):
                raise OperationError(f"Operation {number} is no purge of this queue.")
            operation = operations.restore(number, actor=request.user, surface="api")
        return operating.answer(request, operation)


urlpatterns = [
    path("queues/<z4j:name>/purge/", PurgeView.as_view(), name="queue-purge"),
    path("queues/<z4j:name>/restore/", RestoreView.as_view(), name="queue-restore"),
]
