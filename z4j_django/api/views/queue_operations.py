"""Empty a queue, and put back what was in it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path

from z4j_django import operations
from z4j_django.api import operating
from z4j_django.api.parameters import QUEUE
from z4j_django.api.serializers import requests
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation
from z4j_django.queries import operations as queries


class PurgeView(operating.Act):
    """``queues/{name}/purge/``."""

    verb = "purge_queue"
    endpoints: ClassVar = {
        "post": operating.endpoint(
            "queues_purge",
            "Purge a queue",
            "Takes out as many messages as lie in it now, and keeps them; `restore` puts them "
            "back. What a worker holds already runs on. The broker has 10 seconds for each answer.",
            QUEUE,
            body=requests.PurgeQueue,
            problems=(409,),
        )
    }

    def act(self, name: str, **options: Any) -> Operation:
        """Purge it, where its name was typed back."""
        return operations.purge_queue(name, actor=self.request.user, surface="api", **options)


class RestoreView(operating.Act):
    """``queues/{name}/restore/``."""

    verb = "restore"
    endpoints: ClassVar = {
        "post": operating.endpoint(
            "queues_restore",
            "Put back what a purge removed",
            "Publishes each message as it was, straight to its queue. Where it was cut off, it "
            "can be asked for again: what is in the queue or was received is not put back twice.",
            QUEUE,
            body=requests.RestoreQueue,
            problems=(409,),
        )
    }

    def act(self, name: str, **options: Any) -> Operation:
        """Put back what the purge of the body's number took from this queue."""
        number = options["operation"]
        purge = queries.find(number)
        if (
            purge is None
            or purge.verb != Operation.Verb.PURGE_QUEUE
            or purge.parameters.get("queue") != name
        ):
            raise OperationError(f"Operation {number} is no purge of this queue.")
        return operations.restore(number, actor=self.request.user, surface="api")


urlpatterns = [
    path("queues/<z4j:name>/purge/", PurgeView.as_view(), name="queue-purge"),
    path("queues/<z4j:name>/restore/", RestoreView.as_view(), name="queue-restore"),
]
