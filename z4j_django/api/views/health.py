"""The health of capture."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import fields, generic
from z4j_django.api.endpoints import Endpoint
from z4j_django.conditions import capture
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


class HealthView(generic.Shown):
    """``health/``; it tells of journals and of losses."""

    reads = "journalrecord"
    also = "journalloss"
    endpoints: ClassVar = {
        "get": Endpoint(
            "health_retrieve",
            "How capture stands",
            "Who ships, how far behind, what was lost, which workers are silent. The status is "
            "200 in any case; `healthy` and `troubles` tell how it stands.",
            answer=HealthSerializer,
            tag="workers",
        )
    }

    def get(self, request: Request) -> Response:
        """By what is on record."""
        sees_workers = self.sees("workerrecord")
        found = health.health() if sees_workers else health.capture()
        troubles = capture.words(found.at, workers=sees_workers)
        shown = {**vars(found), "healthy": not troubles, "troubles": troubles}
        return self.answer(shown if sees_workers else {**shown, "workers": None})


urlpatterns = [path("health/", HealthView.as_view(), name="health")]
