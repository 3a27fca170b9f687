"""What a bulk operation would act on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

from z4j_django.api import fields
from z4j_django.api.serializers.tasks import TaskSerializer
from z4j_django.operations import bulk_operations


class _Asked(fields.Moment):
    """A moment that is written down as a text."""

    def to_representation(self, value: str) -> str | None:
        return super().to_representation(datetime.fromisoformat(value))


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
    filter = serializers.CharField(
        source="selection.search", help_text="The filter; to be sent back as it is."
    )
    until = serializers.IntegerField(
        source="selection.until",
        help_text="The newest row that it takes; to be sent back as it is.",
    )
    asked_at = _Asked(
        source="selection.asked_at",
        help_text="The moment from which its ages count; to be sent back as it is.",
    )
