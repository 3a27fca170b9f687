"""Run a group or chord again."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import operations
from z4j_django.api import base, openapi, operating
from z4j_django.api.serializers import requests
from z4j_django.models import GroupRecord


class RetryView(base.View):
    """``groups/{group_id}/retry/``."""

    verb = "retry_group"

    @openapi.operation(
        "groups_retry",
        tag="groups",
        summary="Run a group or chord again",
        description=(
            "All of it, what failed of it, or the chord's body alone. Nothing is published unless "
            "all of it can be. The operation's targets are the tasks that were published, by their "
            "old ids."
        ),
        parameters=[openapi.GROUP_ID, *operating.DESCRIBED],
        request=requests.RetryGroup,
        responses=operating.ACCEPTED,
        problems=(404, 409),
        examples=[
            openapi.example("What failed", {"members": "failed"}, request=True),
            operating.example(
                "One member runs again, one result is replayed",
                "retry_group",
                ("6f1f4f5e", "done", "0b9d3c1e"),
                ("7a2e5f6f", "done", "1cae4d2f"),
                parameters={"group_id": "9d3a2a6c", "members": "failed"},
            ),
        ],
    )
    def post(self, request: Request, group_id: str) -> Response:
        """Run it again, as the body says."""
        base.known_parameters(request, operating.PARAMETERS)
        project = base.project_of(request)
        options = operating.body_of(request, requests.RetryGroup)
        groups = GroupRecord.objects.filter(project=project)
        operating.require(groups, "group_id", group_id, "group")
        with operating.refusals_to(request):
            operation = operations.retry_group(
                group_id, actor=request.user, project=project, surface="api", **options
            )
        return operating.answer(request, operation, single=False)


urlpatterns = [
    path("groups/<z4j:group_id>/retry/", RetryView.as_view(), name="group-retry"),
]
