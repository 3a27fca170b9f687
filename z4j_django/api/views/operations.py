"""Operations: what was asked for, and what came of it."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, lists, openapi, pagination, problems
from z4j_django.api.serializers import operations as serializers
from z4j_django.models import Operation, OperationTarget
from z4j_django.queries import operations

_VERB: Final = openapi.parameter("verb", "Only this verb.", enum=Operation.Verb.values)
_STATE: Final = openapi.parameter("state", "Only those in this state.", enum=Operation.State.values)
_TARGET: Final = openapi.parameter(
    "target",
    "Only those that were to act on this: the whole id of a task or group, or name of a queue.",
    example="6f1f4f5e-9a3c-4d0b-8a57-0f6f3f2a1b11",
    minLength=1,
    maxLength=255,
)
_OUTCOME: Final = openapi.parameter(
    "outcome", "Only those that came out so.", enum=OperationTarget.Outcome.values
)
_ROW: Final[dict[str, Any]] = {
    "position": 0,
    "kind": "task",
    "target": "6f1f4f5e-9a3c-4d0b-8a57-0f6f3f2a1b11",
    "outcome": "done",
    "reason": "",
    "result_id": "c0a8f0de-5b5e-4d53-8f1a-1f3b1c2d3e4f",
    "at": "2026-11-01T12:00:00.250000Z",
}
_OPERATION: Final[dict[str, Any]] = {
    "id": 7,
    "url": "https://example.com/z4j/api/operations/7/",
    "project": "default",
    "verb": "retry",
    "state": "finished",
    "actor": "alice",
    "surface": "api",
    "parameters": {},
    "selection": None,
    "total": 1,
    "counts": {"done": 1, "refused": 0, "failed": 0, "unknown": 0, "acting": 0, "pending": 0},
    "created_at": "2026-11-01T12:00:00.000000Z",
    "updated_at": "2026-11-01T12:00:00.250000Z",
    "finished_at": "2026-11-01T12:00:00.250000Z",
    "abort_requested": False,
    "targets_url": "https://example.com/z4j/api/operations/7/targets/",
}


class OperationsView(base.View):
    """``operations/``; its address is that of ``bulk``, which adds what makes one."""

    reads = "operation"

    @openapi.operation(
        "operations_list",
        tag="operations",
        summary="List operations",
        description="What was asked for, the newest first.",
        parameters=[_VERB, _STATE, _TARGET, lists.PROJECT, *pagination.DESCRIBED],
        responses={200: serializers.OperationPage},
        examples=[
            openapi.example("A retry", {"next": None, "previous": None, "results": [_OPERATION]})
        ],
    )
    def get(self, request: Request) -> Response:
        """A page."""
        known = ("verb", "state", "target", "project", *pagination.PARAMETERS)
        base.known_parameters(request, known)
        verb = lists.choice_of(request, "verb", Operation.Verb.values)
        state = lists.choice_of(request, "state", Operation.State.values)
        target = lists.text_of(request, "target")
        given = {name: value for name, value in (("verb", verb), ("state", state)) if value}
        wanted = Operation.objects.filter(project=base.project_of(request), **given)
        page = pagination.id_page(request, wanted, operations.ways_to(verb, state, target))
        rows = [serializers.operation(request, one) for one in page.rows]
        return Response(pagination.body(request, page, rows))


class OperationView(base.View):
    """``operations/{id}/``."""

    reads = "operation"

    @openapi.operation(
        "operations_retrieve",
        tag="operations",
        summary="One operation",
        description="How an operation stands, and what came of its first targets.",
        parameters=[openapi.OPERATION],
        responses={200: serializers.OperationDetail},
        problems=(404,),
        examples=[openapi.example("A retry", {**_OPERATION, "targets": [_ROW]})],
    )
    def get(self, request: Request, id: int) -> Response:
        """The operation."""
        base.known_parameters(request, ())
        return Response(serializers.detail(request, _found(id)))


class TargetsView(base.View):
    """``operations/{id}/targets/``."""

    reads = "operation"

    @openapi.operation(
        "operations_targets",
        tag="operations",
        summary="List the targets of an operation",
        description="What came of each, in their order.",
        parameters=[openapi.OPERATION, _OUTCOME, *pagination.DESCRIBED],
        responses={200: serializers.TargetPage},
        problems=(404,),
        examples=[openapi.example("One task", {"next": None, "previous": None, "results": [_ROW]})],
    )
    def get(self, request: Request, id: int) -> Response:
        """A page."""
        base.known_parameters(request, ("outcome", *pagination.PARAMETERS))
        outcome = lists.choice_of(request, "outcome", OperationTarget.Outcome.values)
        place, limit = pagination.place_of(request), pagination.limit_of(request)
        page = operations.page_of_targets(_found(id), outcome, place, limit)
        rows = [serializers.target(row) for row in page.rows]
        return Response(pagination.body(request, page, rows))


def _found(number: int) -> Operation:
    """The operation of an address.

    Raises:
        NotFound: If there is none.
    """
    if (operation := operations.find(number)) is None:
        raise problems.NotFound("There is no operation of this number.")
    return operation


urlpatterns = [
    path("operations/<z4jnumber:id>/targets/", TargetsView.as_view(), name="operation-targets"),
    path("operations/<z4jnumber:id>/", OperationView.as_view(), name="operation"),
]
