"""The health of capture."""

from __future__ import annotations

from typing import Any, get_args

from rest_framework import serializers

from z4j_django.api import fields
from z4j_django.models import JournalRecord
from z4j_django.queries import health


class JournalSerializer(fields.Record):
    """A journal, by the last that its shipper said of it."""

    state = serializers.ChoiceField(
        choices=get_args(health.JournalState),
        help_text="`shipping`; `behind`, where events wait long for the database; `stopped`, where "
        "the last word was that nothing is left; `silent`, where it was another.",
    )
    lag = fields.Seconds(help_text="Seconds that the oldest event had been waiting then.")
    silence = fields.Seconds(help_text="Seconds since then.")

    class Meta:  # noqa: D106
        model = JournalRecord
        fields = (
            *("host", "directory", "state", "pid", "segments", "size", "pending"),
            *("seen_at", "lag", "silence"),
        )


class LossSerializer(serializers.Serializer[Any]):
    """Events that were lost for one reason."""

    reason = serializers.ChoiceField(choices=health.REASONS, help_text="Why.")
    recent = serializers.IntegerField(help_text="How many within the last 24 hours.")
    ever = serializers.IntegerField(help_text="How many among the newest 10,000 losses.")


class PresenceCounts(serializers.Serializer[Any]):
    """How many of the workers are there, among the 1,000 that came last, those online first."""

    online = serializers.IntegerField(help_text="Said something within the last two minutes.")
    silent = serializers.IntegerField(help_text="Said nothing for longer, and never goodbye.")
    gone = serializers.IntegerField(help_text="Said nothing for a day, and never goodbye.")
    offline = serializers.IntegerField(help_text="Said goodbye.")


class HealthSerializer(serializers.Serializer[Any]):
    """How capture and the workers stand, by what is on record."""

    healthy = serializers.BooleanField(help_text="Whether there are no `troubles`.")
    troubles = serializers.ListField(
        child=serializers.CharField(), help_text="What someone should look at, in words."
    )
    journals = JournalSerializer(many=True, help_text="100 at most, those heard of last first.")
    losses = LossSerializer(many=True, help_text="What was lost, by reason; empty is good.")
    workers = PresenceCounts(allow_null=True, help_text="Null for those who may not view workers.")
