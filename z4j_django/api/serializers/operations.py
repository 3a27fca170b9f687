"""Operations: what was asked for, and what came of each target."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from z4j_django.api import base, fields
from z4j_django.api.serializers.pages import Page
from z4j_django.models import Operation, OperationTarget
from z4j_django.queries import operations

#: Targets that an operation's own representation has, at most.
TARGETS: Final = 100

_Text = serializers.CharField
_Whole = serializers.IntegerField


class CountsSerializer(serializers.Serializer[Any]):
    """How many targets have each outcome."""

    done = _Whole(help_text="Those that were done.")
    refused = _Whole(help_text="Those that were not done, for a reason.")
    failed = _Whole(help_text="Those that were tried, and went wrong.")
    unknown = _Whole(help_text="Those of which the broker or the workers did not tell in time.")
    acting = _Whole(help_text="Those that are begun.")
    pending = _Whole(help_text="Those that are not begun yet.")


class TargetSerializer(serializers.Serializer[Any]):
    """One task, group or queue that was to be acted on."""

    position = _Whole(help_text="Its place among the targets, from 0.")
    kind = serializers.ChoiceField(choices=OperationTarget.Kind.values, help_text="What it is.")
    target = _Text(help_text="Id of the task or group, or name of the queue.")
    outcome = serializers.ChoiceField(
        choices=OperationTarget.Outcome.values,
        help_text="What came of it: `done`; `refused`, for a `reason`; `failed`; `unknown`, where "
        "the broker or the workers did not answer in time. `pending` or `acting` until then.",
    )
    reason = _Text(allow_blank=True, help_text="The outcome in words.")
    result_id = _Text(
        allow_blank=True, help_text="Id of the task or group that was published for it."
    )
    at = fields.Moment(allow_null=True, help_text="When that came of it.")


class OperationSerializer(serializers.Serializer[Any]):
    """An operation of a list."""

    id = _Whole(help_text="Its number.")
    url = serializers.SerializerMethodField(help_text="Its address.")
    project = _Text(help_text="The project that it belongs to.")
    verb = serializers.ChoiceField(choices=Operation.Verb.values, help_text="What was asked for.")
    state = serializers.ChoiceField(
        choices=Operation.State.values,
        help_text="`waiting` for a worker, `running`, `finished`, or `aborted`.",
    )
    actor = _Text(help_text="Who asked: a user's name, or what a program calls itself.")
    surface = _Text(help_text="By which way: `admin`, `api`, `command` or `python`.")
    parameters = serializers.JSONField(help_text="What was asked for besides, with secrets masked.")
    selection = serializers.JSONField(
        allow_null=True,
        help_text="The filter that the targets were found by; null where they were named.",
    )
    total = _Whole(help_text="How many targets it has.")
    counts = serializers.SerializerMethodField(
        help_text="How many targets have each outcome. In a list null until it is over."
    )
    created_at = fields.Moment(help_text="When it was asked for.")
    updated_at = fields.Moment(help_text="When it last did anything.")
    finished_at = fields.Moment(allow_null=True, help_text="When it was over; null until then.")
    abort_requested = serializers.BooleanField(help_text="Whether somebody asked for its abort.")
    targets_url = serializers.SerializerMethodField(help_text="Address of all its targets.")

    def get_url(self, operation: Operation) -> str:
        """Where it is."""
        return base.uri(self.context["request"], "operation", operation.pk)

    def get_targets_url(self, operation: Operation) -> str:
        """Where they are."""
        return base.uri(self.context["request"], "operation-targets", operation.pk)

    @extend_schema_field(CountsSerializer(allow_null=True))
    def get_counts(self, operation: Operation) -> dict[str, int] | None:
        """As they were written down: to count the targets of many is too much for a list."""
        return counts(operation) if operation.finished_at is not None else None


class OperationPage(Page):
    """A page of operations."""

    results = OperationSerializer(many=True, help_text="The operations.")


class OperationDetail(OperationSerializer):
    """An operation, and what came of its first targets."""

    targets = serializers.SerializerMethodField(help_text=f"The first {TARGETS} of its targets.")

    @extend_schema_field(CountsSerializer())
    def get_counts(self, operation: Operation) -> dict[str, int]:
        """As they stand now."""
        return counts(operation)

    @extend_schema_field(TargetSerializer(many=True))
    def get_targets(self, operation: Operation) -> list[dict[str, Any]]:
        """In their order."""
        return [target(row) for row in operations.first_targets(operation, TARGETS)]


class TargetPage(Page):
    """A page of an operation's targets."""

    results = TargetSerializer(many=True, help_text="The targets, in their order.")


def operation(request: Request, record: Operation) -> dict[str, Any]:
    """An operation, as :class:`OperationSerializer` says."""
    return dict(OperationSerializer(record, context={"request": request}).data)


def detail(request: Request, record: Operation) -> dict[str, Any]:
    """An operation, as :class:`OperationDetail` says; in two queries."""
    return dict(OperationDetail(record, context={"request": request}).data)


def target(row: OperationTarget) -> dict[str, Any]:
    """A target, as :class:`TargetSerializer` says."""
    return dict(TargetSerializer(row).data)


def counts(record: Operation) -> dict[str, int]:
    """How many targets have each outcome, none left out."""
    found = operations.counts(record)
    return {outcome: found.get(outcome, 0) for outcome in CountsSerializer._declared_fields}
