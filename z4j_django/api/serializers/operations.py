"""Operations: what was asked for, and what came of each target."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request

from z4j_django import permissions
from z4j_django.api import base, fields
from z4j_django.models import Operation, OperationTarget
from z4j_django.queries import operations

#: Targets that an operation's own representation has, at most.
TARGETS: Final = 100


class CountsSerializer(fields.Record):
    """How many targets have each outcome."""

    acting = serializers.IntegerField(help_text="Those that are begun.")
    pending = serializers.IntegerField(help_text="Those that are not begun yet.")

    class Meta:  # noqa: D106
        model = Operation
        fields = ("done", "refused", "failed", "unknown", "acting", "pending")

    def to_representation(self, instance: Any) -> Any:
        """As they stand now; where it may be null, only as they were written down at the end.

        To count the targets of many operations is too much for a list.
        """
        if self.allow_null and instance.finished_at is None:
            return None
        found = operations.counts(instance)
        return {outcome: found.get(outcome, 0) for outcome in self.Meta.fields}


class TargetSerializer(fields.Record):
    """One task, group or queue that was to be acted on."""

    class Meta:  # noqa: D106
        model = OperationTarget
        fields = ("position", "kind", "target", "outcome", "reason", "result_id", "at")


class _FirstTargets(serializers.ListSerializer[Any]):
    def get_attribute(self, instance: Any) -> list[OperationTarget]:
        """In their order."""
        return operations.first_targets(instance, TARGETS)


class _Published(fields.Counts):
    def get_attribute(self, instance: Any) -> dict[str, int] | None:
        """What became of them, for whoever may view tasks."""
        actor = base.actor_of(self.context["request"])
        sees = permissions.can_view(actor, "taskrecord")
        return operations.published(instance) if sees else None


class OperationSerializer(fields.Record):
    """An operation of a list."""

    url = fields.Address("operation", "pk", help_text="Its address.")
    counts = CountsSerializer(
        source="*",
        allow_null=True,
        help_text="How many targets have each outcome. In a list null until it is over.",
    )
    targets_url = fields.Address("operation-targets", "pk", help_text="Address of all its targets.")
    id = serializers.IntegerField(help_text="Its number.")

    class Meta:  # noqa: D106
        model = Operation
        fields: tuple[str, ...] = (
            *("id", "url", "project", "verb", "state", "actor", "surface", "parameters"),
            *("selection", "total", "counts", "created_at", "updated_at", "finished_at"),
            *("abort_requested", "targets_url"),
        )


class OperationDetail(OperationSerializer):
    """An operation, and what came of its first targets."""

    counts = CountsSerializer(source="*", help_text="How many targets have each outcome.")
    published = _Published(
        allow_null=True,
        help_text="How many of the tasks that it published stand in each state; `not_on_record` "
        "are those of which nothing is on record (yet). They are those of its first "
        f"{operations.PUBLISHED_LIMIT:,} targets. Null for those who may not view tasks.",
    )
    targets = _FirstTargets(
        child=TargetSerializer(), help_text=f"The first {TARGETS} of its targets."
    )

    class Meta(OperationSerializer.Meta):  # noqa: D106
        fields = (*OperationSerializer.Meta.fields, "published", "targets")


def detail(request: Request, record: Operation) -> dict[str, Any]:
    """An operation, as :class:`OperationDetail` says; in three queries."""
    return dict(OperationDetail(record, context={"request": request}).data)
