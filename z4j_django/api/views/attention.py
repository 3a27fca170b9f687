"""What is wrong now."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import fields, generic
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import PROJECT
from z4j_django.conditions import attention
from z4j_django.conf import settings
from z4j_django.models import ConditionRecord
from z4j_django.watch import on_demand


class ConditionSerializer(fields.Record):
    """Something that is wrong, or was."""

    title = serializers.CharField(read_only=True, help_text="The condition's name, for people.")
    subject_kind = serializers.CharField(
        read_only=True, help_text="What the subject is, such as `queue` or `worker`."
    )
    numbers = serializers.DictField(
        child=serializers.JSONField(), read_only=True, help_text="What was found, in numbers."
    )
    remedy = serializers.CharField(read_only=True, help_text="What to do.")
    tasks = serializers.CharField(
        read_only=True, help_text="The filter (`q`) that lists its tasks; empty where none does."
    )

    class Meta:  # noqa: D106
        model = ConditionRecord
        fields = (
            *("key", "title", "severity", "subject_kind", "subject", "since", "last_seen"),
            *("ended_at", "evidence", "numbers", "remedy", "tasks"),
        )


class AttentionSerializer(serializers.Serializer[Any]):
    """What is wrong with a project."""

    critical = serializers.IntegerField(help_text="How many critical conditions hold.")
    warning = serializers.IntegerField(help_text="How many others.")
    open = ConditionSerializer(
        many=True, help_text=f"What holds, the worst first; {attention.OPEN_LIMIT} at most."
    )
    ended = ConditionSerializer(
        many=True, help_text=f"What held lately, {attention.ENDED_LIMIT} at most."
    )
    checked_at = fields.Moment(
        allow_null=True, help_text="When it was last looked at; null where it never was."
    )
    checked_by = serializers.CharField(help_text="The process that did: `pid@host`.")


class AttentionView(generic.Shown):
    """``attention/``."""

    reads = "conditionrecord"
    endpoints: ClassVar = {
        "get": Endpoint(
            "attention_retrieve",
            "What is wrong now",
            "The conditions that hold, since when, by what evidence, and what to do; and those "
            "that ended lately. They are evaluated every 15 seconds by one process of the project; "
            "where none has for a minute, this request does, and takes a few seconds at most.",
            parameters=(PROJECT,),
            answer=AttentionSerializer,
        )
    }

    def get(self, request: Request) -> Response:
        """As it is stored."""
        project = self.asked["project"]
        if project == settings.PROJECT:
            on_demand.refresh(project)
        found = attention.read(project)
        counts = {severity: found.counts[severity] for severity in ("critical", "warning")}
        return self.answer({**vars(found), **counts})


urlpatterns = [path("attention/", AttentionView.as_view(), name="attention")]
