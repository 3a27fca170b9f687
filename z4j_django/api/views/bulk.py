"""Many tasks at once: look first, then act; and stop what was begun."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import operations, permissions
from z4j_django.api import base, fields, lists, openapi, operating, problems
from z4j_django.api.serializers import bulk as serializers
from z4j_django.api.serializers import requests, tasks
from z4j_django.api.serializers.strict import Body
from z4j_django.api.views import operations as reading
from z4j_django.exceptions import FilterError
from z4j_django.queries import filters
from z4j_django.queries import operations as queries
from z4j_django.queries.selection import Selection

_TASKS: Final = "taskrecord"
_MISSING: Final = f"The permission {permissions.view_permission(_TASKS)} is missing."
_NOTHING: Final = dict.fromkeys(("done", "refused", "failed", "unknown", "acting", "pending"), 0)


class OperationsView(reading.OperationsView):
    """``operations/``: what was done; and many at once."""

    verb = "bulk"

    @openapi.operation(
        "operations_create",
        tag="operations",
        summary="Retry, cancel or terminate many tasks",
        description=(
            "By their ids, or by a filter that is frozen when it is asked for: what comes later "
            "stays out. `filter`, `until` and `asked_at` of a preview, sent back as they are, name "
            "what was previewed. Up to 100 tasks are done before the answer; more, or any number "
            "with a rate, by a worker: follow `url`. Wants the permission of the verb, too, and "
            "with a filter that to view tasks."
        ),
        parameters=operating.DESCRIBED,
        request=requests.Bulk(),
        responses=operating.ACCEPTED,
        problems=(409,),
        examples=[
            openapi.example(
                "What was previewed",
                {
                    "verb": "retry",
                    "filter": "state:FAILURE name:shop.charge_card sent:<2h",
                    "until": 120_391,
                    "asked_at": "2026-11-21T12:00:00.000000Z",
                    "rate": 50,
                },
                request=True,
            ),
            openapi.example(
                "Some ids",
                {"verb": "terminate", "task_ids": ["6f1f4f5e"], "signal": "SIGKILL"},
                request=True,
            ),
            operating.example(
                "It waits for a worker",
                "retry",
                ("6f1f4f5e", "pending", ""),
                state="waiting",
                total=2_400,
                counts={**_NOTHING, "pending": 2_400},
                finished_at=None,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Do it, or leave it to a worker."""
        base.known_parameters(request, operating.PARAMETERS)
        project = base.project_of(request)
        given = operating.body_of(request, _kind(request))
        verb = given.pop("verb")
        permissions.require(request.user, verb)
        if "filter" in given:
            _require_view(request)
            selection = _selection(given, project)
            targets: dict[str, Any] = {"selection": selection}
        else:
            targets = {"task_ids": given.pop("task_ids"), "project": project}
        with operating.refusals_to(request):
            operation = operations.bulk(verb, actor=request.user, surface="api", **targets, **given)
        return operating.answer(request, operation, single=False)


class PreviewView(base.View):
    """``operations/preview/``."""

    verb = "bulk"

    def refuses(self, request: Request) -> str | None:
        """It shows tasks: that is a permission of its own."""
        if (why := super().refuses(request)) is not None:
            return why
        if permissions.can_view(base.actor_of(request), _TASKS):
            return None
        return _MISSING

    @openapi.operation(
        "operations_preview",
        tag="operations",
        summary="Look at what a filter would act on",
        description=(
            "Does nothing. `filter`, `until` and `asked_at` are to be sent back as they are: the "
            "operation then takes these tasks and none that came meanwhile."
        ),
        parameters=[lists.PROJECT],
        request=requests.Matching,
        responses={200: serializers.PreviewSerializer},
        problems=(409,),
        examples=[
            openapi.example("Of one kind", {"filter": "state:FAILURE name:shop.*"}, request=True),
            openapi.example("Too many, cut to the newest", serializers.EXAMPLE),
        ],
    )
    def post(self, request: Request) -> Response:
        """Count them, and show some."""
        base.known_parameters(request, operating.PARAMETERS)
        project = base.project_of(request)
        given = operating.body_of(request, requests.Matching)
        with operating.refusals_to(request):
            seen = operations.preview(_selection(given, project))
        frozen = seen.selection
        return Response(
            {
                "count": seen.count,
                "capped": seen.capped,
                "sample": tasks.Rows(request, tasks.LISTED).all(seen.sample),
                "filter": frozen.search,
                "until": frozen.until,
                "asked_at": fields.moment(datetime.fromisoformat(frozen.asked_at)),
            }
        )


class AbortView(base.View):
    """``operations/{id}/abort/``."""

    def refuses(self, request: Request) -> str | None:
        """It wants the permission of what the operation does, which is not known yet."""
        if permissions.verbs_of(base.actor_of(request)):
            return None
        return "The permission to do what the operation does is missing."

    @openapi.operation(
        "operations_abort",
        tag="operations",
        summary="Stop an operation",
        description=(
            "Before its next target; what is done stays done. Wants the permission of its verb. "
            "One that is over is refused."
        ),
        parameters=[openapi.OPERATION, openapi.LOCATION],
        responses=operating.ACCEPTED,
        problems=(404, 409),
        examples=[
            operating.example(
                "It was asked to stop",
                "retry",
                ("6f1f4f5e", "done", "0b9d3c1e"),
                state="running",
                total=2_400,
                counts={**_NOTHING, "done": 1_100, "pending": 1_300},
                finished_at=None,
                abort_requested=True,
            )
        ],
    )
    def post(self, request: Request, id: int) -> Response:
        """Ask for its abort."""
        base.known_parameters(request, ())
        operating.body_of(request, requests.NoOptions)
        found = queries.find(id)
        if found is None or not operating.may_know_of(request, found):
            raise problems.NotFound("There is no operation of this number.")
        with operating.refusals_to(request):
            operation = operations.abort(id, actor=request.user)
        return operating.answer(request, operation, single=False)


def _kind(request: Request) -> type[Body]:
    """The form of the body, which follows from its verb."""
    given = request.data
    verb = given.get("verb") if isinstance(given, dict) else None
    if not isinstance(verb, str) or verb not in requests.BULK:
        reason = f"This has to be one of: {', '.join(requests.BULK)}."
        raise problems.Invalid([{"name": "verb", "reason": reason}])
    return requests.BULK[verb]


def _require_view(request: Request) -> None:
    """What a filter finds tells something of every task."""
    if not permissions.can_view(request.user, _TASKS):
        raise PermissionDenied(_MISSING)


def _selection(given: dict[str, Any], project: str) -> Selection:
    """The tasks that a body names by its filter; takes its members out."""
    text, until, asked_at = (given.pop(name, None) for name in ("filter", "until", "asked_at"))
    try:
        filters.parse(text)
    except FilterError as error:
        raise problems.WrongFilter({"filter": error}) from None
    return Selection(
        project=project, search=text, until=until, asked_at=fields.moment(asked_at) or ""
    )


urlpatterns = [
    path("operations/", OperationsView.as_view(), name="operations"),
    path("operations/preview/", PreviewView.as_view(), name="operations-preview"),
    path("operations/<z4jnumber:id>/abort/", AbortView.as_view(), name="operation-abort"),
]
