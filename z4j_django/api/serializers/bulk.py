"""What a bulk operation would act on."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from z4j_django.api import fields
from z4j_django.api.serializers.tasks import TaskSerializer
from z4j_django.operations import bulk_operations


class PreviewSerializer(serializers.Serializer[Any]):
    """The tasks that a filter finds now."""

    count = serializers.IntegerField(
        help_text="How many there are, at most `Z4J['BULK_LIMIT']`: 10,000 by default."
    )
    capped = serializers.BooleanField(
        help_text="Whether there are more than that; the newest are taken."
    )
    sample = TaskSerializer(
        many=True, help_text=f"The newest of them, {bulk_operations.SAMPLE} at most."
    )
    filter = serializers.CharField(help_text="The filter; to be sent back as it is.")
    until = serializers.IntegerField(
        help_text="The newest row that it takes; to be sent back as it is."
    )
    asked_at = fields.Moment(
        help_text="The moment from which its ages count; to be sent back as it is."
    )


EXAMPLE: Final = {
    "count": 10_000,
    "capped": True,
    "sample": [
        {
            "url": "https://example.com/z4j/api/tasks/6f1f4f5e-9a3c-4d0b-8a57-0f6f3f2a1b11/",
            "task_id": "6f1f4f5e-9a3c-4d0b-8a57-0f6f3f2a1b11",
            "name": "shop.charge_card",
            "state": "FAILURE",
        }
    ],
    "filter": "state:FAILURE name:shop.*",
    "until": 120_391,
    "asked_at": "2026-11-21T12:00:00.000000Z",
}
