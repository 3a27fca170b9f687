"""Operations: what was asked for, and what came of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path

from z4j_django import verbs
from z4j_django.api import generic, pagination, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import OPERATION, PROJECT, Choice, Text
from z4j_django.api.serializers import operations as serializers
from z4j_django.models import Operation, OperationTarget
from z4j_django.queries import operations

_MISSING = "There is no operation of this number."


class OperationsView(generic.List):
    """``operations/``; its address is that of ``bulk``, which adds what makes one."""

    reads = "operation"
    endpoints: ClassVar = {
        "get": Endpoint(
            "operations_list",
            "List operations",
            "What was asked for, the newest first.",
            parameters=(
                Choice("verb", "Only this verb.", verbs.VERBS),
                Choice("state", "Only those in this state.", Operation.State.values),
                Text(
                    "target",
                    "Only those that were to act on this: the whole id of a task or group, or name "
                    "of a queue.",
                ),
                PROJECT,
                *pagination.PAGE,
            ),
            answer=pagination.page_of(serializers.OperationSerializer, "operations"),
        )
    }

    def wanted(self) -> generic.Wanted:
        """Those of the parameters."""
        verb, state, target = (self.asked[name] for name in ("verb", "state", "target"))
        given = {name: value for name, value in (("verb", verb), ("state", state)) if value}
        found = Operation.objects.filter(project=self.asked["project"], **given)
        return found, operations.ranges(verb, state, target)


class OperationView(generic.Detail):
    """``operations/{id}/``."""

    reads = "operation"
    missing = _MISSING
    endpoints: ClassVar = {
        "get": Endpoint(
            "operations_retrieve",
            "One operation",
            "How an operation stands, and what came of its first targets.",
            parameters=(OPERATION,),
            answer=serializers.OperationDetail,
            problems=(404,),
        )
    }

    def find(self) -> Operation | None:
        """The operation."""
        return operations.find(self.asked["id"])


class TargetsView(generic.List):
    """``operations/{id}/targets/``."""

    reads = "operation"
    endpoints: ClassVar = {
        "get": Endpoint(
            "operations_targets",
            "List the targets of an operation",
            "What came of each, in their order.",
            parameters=(
                OPERATION,
                Choice("outcome", "Only those that came out so.", OperationTarget.Outcome.values),
                *pagination.PAGE,
            ),
            answer=pagination.page_of(serializers.TargetSerializer, "targets, in their order"),
            problems=(404,),
        )
    }

    def page(self) -> Any:
        """By their positions."""
        asked = self.asked
        if (operation := operations.find(asked["id"])) is None:
            raise problems.NotFound(_MISSING)
        return operations.targets(operation, asked["outcome"], asked["cursor"], asked["limit"])


urlpatterns = [
    path("operations/<z4jnumber:id>/targets/", TargetsView.as_view(), name="operation-targets"),
    path("operations/<z4jnumber:id>/", OperationView.as_view(), name="operation"),
]
