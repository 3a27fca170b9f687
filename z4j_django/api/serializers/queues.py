"""Queues."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from z4j_django.api import fields
from z4j_django.queries import tasks


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

    results = QueueSerializer(
        many=True, help_text=f"The queues by name, {tasks.CHOICES_LIMIT} at most."
    )
    more = serializers.BooleanField(help_text="Whether there are others on record.")
