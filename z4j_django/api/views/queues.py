"""Queues, and how many messages wait in each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Final

from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, fields, generic, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import QUEUE, Whole
from z4j_django.conf import settings
from z4j_django.control import queue_depths
from z4j_django.exceptions import OperationError
from z4j_django.models import PausedQueue, QueueSample
from z4j_django.operations import peeking
from z4j_django.queries import pauses, queues

#: Samples of a queue in one answer: those of a day.
_SAMPLES: Final = 1440


class PauseSerializer(fields.Record):
    """That a queue is paused."""

    class Meta:  # noqa: D106
        model = PausedQueue
        fields = ("paused_by", "reason", "since", "until")


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
    paused = PauseSerializer(
        allow_null=True, help_text="Who paused it, why and until when; null where it is not paused."
    )
    tasks_url = fields.TasksAddress(
        queue="name", help_text="Address of the list of the tasks sent to it."
    )


class SampleSerializer(fields.Record):
    """How a queue was at one moment."""

    class Meta:  # noqa: D106
        model = QueueSample
        fields = ("at", "depth", "consumers", "oldest_at", "unknown")


class QueueDetail(QueueSerializer):
    """A queue, and how it was."""

    samples = SampleSerializer(
        many=True,
        help_text=f"One a minute, the newest last; of more than {_SAMPLES:,} every so many-th.",
    )


class QueueList(serializers.Serializer[Any]):
    """Queues."""

    results = QueueSerializer(many=True, help_text=f"The queues by name, {queues.LIMIT} at most.")
    more = serializers.BooleanField(help_text="Whether there are others on record.")


_ABOUT: Final = (
    f"The broker has {queue_depths.TIMEOUT:g} seconds to tell; where it does not, `known` is false "
    "and `depth` is null. What a worker holds already does not wait any more."
)


_HOURS: Final = Whole("hours", "Of how many hours samples are wanted.", default=24, maximum=2160)


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
        paused = pauses.by_queue(settings.PROJECT)
        rows = [_queue(name, depth, paused.get(name)) for name, depth in found.items()]
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
            f"which messages wait. {_ABOUT} The samples are those of this project.",
            parameters=(QUEUE, _HOURS),
            answer=QueueDetail,
            problems=(404,),
        )
    }

    def find(self) -> dict[str, Any] | None:
        """The queue."""
        name = self.asked["name"]
        if not generic.may_be(name):
            return None
        depth = queue_depths.count(name, queue_depths.TIMEOUT)
        if not (depth or queues.is_known(name)):
            return None
        since = timezone.now() - timedelta(hours=self.asked["hours"])
        samples = queues.samples(settings.PROJECT, name, since, _SAMPLES)
        return {**_queue(name, depth, pauses.of(settings.PROJECT, name)), "samples": samples}


def _queue(name: str, depth: int | None, paused: PausedQueue | None) -> dict[str, Any]:
    return {"name": name, "depth": depth, "known": depth is not None, "paused": paused}


class WaitingSerializer(serializers.Serializer[Any]):
    """A message that waits, as the record of its task would show it."""

    position = serializers.IntegerField(
        help_text="Its place, from 0: the first is the next that is taken."
    )
    task_id = serializers.CharField(help_text="Its task's id; empty where it names none.")
    name = serializers.CharField(help_text="Its task's name.")
    args = serializers.JSONField(
        allow_null=True, help_text="Its arguments, with secrets masked; null where not shown."
    )
    kwargs = serializers.JSONField(
        allow_null=True, help_text="Its keyword arguments, masked likewise."
    )
    priority = serializers.IntegerField(
        allow_null=True, help_text="Its priority, where it has one."
    )
    sent_at = fields.Moment(
        allow_null=True, help_text="When it was sent; null where its publisher runs no agent."
    )
    eta = serializers.CharField(help_text="When it may begin, as its headers say.")
    expires = serializers.CharField(help_text="Until when it may begin, as its headers say.")
    origin = serializers.CharField(help_text="The process that sent it.")
    size = serializers.IntegerField(help_text="Bytes of its body.")
    content_type = serializers.CharField(help_text="Its serializer's.")
    unknown = serializers.CharField(
        help_text="What of it is not shown, and why; empty where all is."
    )


class WaitingList(serializers.Serializer[Any]):
    """The first messages of a queue."""

    results = WaitingSerializer(
        many=True, help_text=f"The next ones that are taken first, {peeking.LIMIT} at most."
    )


class MessagesView(generic.Shown):
    """``queues/{name}/messages/``; it wants the permission to pause queues, too."""

    reads = "taskrecord"
    endpoints: ClassVar = {
        "get": Endpoint(
            "queues_messages",
            "Look into a queue",
            f"The first {peeking.LIMIT} messages that wait in it. They stay where they are, and a "
            "pickled one is not opened. It wants the permissions to view tasks and to pause "
            "queues. Redis, the file-system and memory let themselves be looked into; RabbitMQ and "
            f"others do not. The broker has {peeking.TIMEOUT:g} seconds to answer.",
            parameters=(QUEUE,),
            answer=WaitingList,
            problems=(409,),
        )
    }

    def get(self, request: Request, name: str) -> Response:
        """What waits."""
        try:
            found = peeking.peek(name, actor=base.actor_of(request))
        except OperationError as error:
            raise problems.Refused(str(error)) from error
        return self.answer({"results": found})


urlpatterns = [
    path("queues/", QueuesView.as_view(), name="queues"),
    path("queues/<z4j:name>/messages/", MessagesView.as_view(), name="queue-messages"),
    path("queues/<z4j:name>/", QueueView.as_view(), name="queue"),
]
