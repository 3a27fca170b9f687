"""Errors: failures with one cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from django.urls import path
from rest_framework import serializers

from z4j_django.api import fields, generic, pagination
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import ERROR_ID, PROJECT, Choice, Flag, Parameter, Text
from z4j_django.exceptions import FilterError
from z4j_django.models import ErrorGroup
from z4j_django.queries import commonalities, errors
from z4j_django.queries import filter as filters
from z4j_django.queries.cursors import Span
from z4j_django.queries.filter.values import Range
from z4j_django.values import RELEASE_LENGTH


class _When(Parameter):
    """When something was, as the filter has it."""

    def read(self, given: str) -> list[Span]:
        """The spans, in any of which it may lie."""
        try:
            (term,) = filters.term("sent", given).terms  # it reads spans, too
        except FilterError as error:
            raise FilterError(given, 0, error.expected) from None
        return [value.span for value in term.values if isinstance(value, Range)]


class _Release(Text):
    def __init__(self) -> None:
        super().__init__("release", "Only errors that were seen in this release.")
        self.schema["maxLength"] = RELEASE_LENGTH


class _Said(serializers.BooleanField):
    """What is found out when an error is read."""

    def __init__(self, holds: Callable[[ErrorGroup], bool], **kwargs: Any) -> None:
        super().__init__(source="*", read_only=True, **kwargs)
        self.holds = holds

    def to_representation(self, value: Any) -> bool:
        """Whether it holds."""
        return self.holds(value)


class ErrorSerializer(fields.Record):
    """An error: failures of one task with one cause."""

    url = fields.Address("error", "error_id", project=True, help_text="Its address.")
    id = serializers.CharField(source="error_id", read_only=True, help_text="Its id.")
    title = serializers.CharField(
        source="__str__", read_only=True, help_text="The type of its exception, and the task."
    )
    is_new = _Said(errors.is_new, help_text="Whether it was first seen within a day.")
    is_regressed = _Said(
        errors.is_regressed,
        help_text="Whether it came back after it was resolved, and nobody has seen to it since.",
    )
    tasks_url = fields.TasksAddress(
        error="error_id", project="project", help_text="Address of the list of its tasks."
    )

    class Meta:  # noqa: D106
        model = ErrorGroup
        fields: tuple[str, ...] = (
            *("url", "id", "project", "title", "name", "exception_type", "message", "task_id"),
            *("count", "first_seen", "last_seen", "state", "is_new", "is_regressed"),
            *("regressed_at", "resolved_at", "resolved_in", "ignored_until", "ignored_count"),
            "tasks_url",
        )


class InReleaseSerializer(serializers.Serializer[Any]):
    """How often an error was seen in a release."""

    name = serializers.CharField(help_text="The release; empty where the process knew of none.")
    count = serializers.IntegerField(help_text="How often.")
    first_seen = fields.Moment(help_text="When first.")
    last_seen = fields.Moment(help_text="When last.")


class FactSerializer(serializers.Serializer[Any]):
    """What holds of many of the failures, and of few of the successes."""

    name = serializers.CharField(
        help_text="`queue`, `worker`, `release`, `hour`, or an argument: `args[0]`, "
        "`kwargs.tenant`."
    )
    value = serializers.CharField(help_text="What it is.")
    failures = serializers.FloatField(help_text="The share of the failures, from 0 to 1.")
    successes = serializers.FloatField(help_text="That of the successes.")
    words = serializers.CharField(source="__str__", help_text="The same as a sentence.")


class CommonSerializer(serializers.Serializer[Any]):
    """What the failures of an error have in common."""

    facts = FactSerializer(
        many=True,
        help_text=f"That whose shares differ most first, {commonalities.TOLD} at most. Of masked "
        "values nothing is told.",
    )
    failures = serializers.IntegerField(help_text="Failures that were looked at.")
    successes = serializers.IntegerField(help_text="Successes of the same task, likewise.")


class ErrorDetail(ErrorSerializer):
    """An error with its releases, and what its failures have in common."""

    releases = InReleaseSerializer(
        many=True,
        help_text=f"In which releases it was seen, the last one first; {errors.RELEASES_LIMIT} at "
        "most.",
    )
    common = CommonSerializer(
        allow_null=True,
        help_text="What its failures have in common, against successes of the same task; null for "
        "whoever may not view tasks.",
    )

    class Meta(ErrorSerializer.Meta):  # noqa: D106
        fields = (*ErrorSerializer.Meta.fields, "traceback", "releases", "common")


class ErrorsView(generic.List):
    """``errors/``."""

    reads = "errorgroup"
    endpoints: ClassVar = {
        "get": Endpoint(
            "errors_list",
            "List errors",
            "Failures by their causes. Errors move in this list while it is read: they are seen "
            "again.",
            parameters=(
                Choice("state", "Only those in this state.", ErrorGroup.State.values),
                Text("name", "Only those of tasks whose name begins with this."),
                _Release(),
                _When(
                    "first_seen",
                    "Only those that were first seen then, such as `<1d`.",
                    default=(),
                    format="z4j-moment",
                ),
                Flag(
                    "regressed",
                    "Only those that came back after they were resolved; or only the others.",
                ),
                Choice(
                    "ordering",
                    "The order. By default those seen last come first.",
                    errors.ORDERINGS,
                    default=errors.ORDERINGS[0],
                ),
                PROJECT,
                *pagination.PAGE,
            ),
            answer=pagination.page_of(ErrorSerializer, "errors"),
        )
    }

    def page(self) -> Any:
        """By their positions."""
        asked = self.asked
        names: Final = ("state", "name", "release", "first_seen", "regressed")
        found = errors.wanted(asked["project"], **{name: asked[name] for name in names})
        return errors.page(found, asked["ordering"], asked["cursor"], asked["limit"])


class ErrorView(generic.Detail):
    """``errors/{error_id}/``."""

    reads = "errorgroup"
    missing = "There is no error of this id on record."
    endpoints: ClassVar = {
        "get": Endpoint(
            "errors_retrieve",
            "One error, and what its failures have in common",
            f"An error with the releases that it was seen in. At most {commonalities.SAMPLE:,} of "
            "its failures are compared with as many successes of the same task; to see what they "
            "have in common wants the permission to view tasks, too.",
            parameters=(ERROR_ID, PROJECT),
            answer=ErrorDetail,
            problems=(404,),
        )
    }

    def find(self) -> Any:
        """The error."""
        return errors.find(self.asked["project"], self.asked["error_id"])

    def beside(self, found: ErrorGroup) -> dict[str, Any]:
        """Its releases; and what its failures have in common, for whoever may view tasks."""
        common = commonalities.of(found) if self.sees("taskrecord") else None
        return {"releases": errors.in_releases(found), "common": common}


urlpatterns = [
    path("errors/", ErrorsView.as_view(), name="errors"),
    path("errors/<z4j:error_id>/", ErrorView.as_view(), name="error"),
]
