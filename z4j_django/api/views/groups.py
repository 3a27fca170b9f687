"""Groups and chords."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import permissions
from z4j_django.api import base, lists, openapi, pagination, problems
from z4j_django.api.serializers import groups as serializers
from z4j_django.models import GroupRecord
from z4j_django.queries import groups, tasks

_SEARCH: Final = openapi.parameter(
    "q",
    "Only groups whose id begins with this, or whose body has it as its whole id.",
    example="0b9d3c1e",
    minLength=tasks.ID_PREFIX_LENGTH,
    maxLength=255,
)
_GROUP: Final[dict[str, Any]] = {
    "url": "https://example.com/z4j/api/groups/0b9d3c1e-77a4-4f7e-9d3a-2a6c5e8f4b22/",
    "row": 12,
    "project": "default",
    "group_id": "0b9d3c1e-77a4-4f7e-9d3a-2a6c5e8f4b22",
    "kind": "chord",
    "size": 3,
    "body_id": "c0a8f0de-5b5e-4d53-8f1a-1f3b1c2d3e4f",
    "body_name": "shop.tasks.settle",
    "root_id": "",
    "first_seen": "2026-11-01T12:00:00.000000Z",
}
_TASK: Final[dict[str, Any]] = {
    "task_id": "6f1f4f5e-9a3c-4d0b-8a57-0f6f3f2a1b11",
    "name": "shop.tasks.charge",
    "state": "FAILURE",
    "group_index": 0,
}


class GroupsView(base.View):
    """``groups/``."""

    reads = "grouprecord"

    @openapi.operation(
        "groups_list",
        tag="groups",
        summary="List groups",
        description="Groups and chords, newest first.",
        parameters=[_SEARCH, lists.PROJECT, *pagination.DESCRIBED],
        responses={200: serializers.GroupPage},
        examples=[
            openapi.example("A chord", {"next": None, "previous": None, "results": [_GROUP]})
        ],
    )
    def get(self, request: Request) -> Response:
        """A page."""
        base.known_parameters(request, ("q", "project", *pagination.PARAMETERS))
        wanted = GroupRecord.objects.filter(project=base.project_of(request))
        ways = groups.ways(wanted, lists.text_of(request, "q", tasks.ID_PREFIX_LENGTH))
        page = pagination.id_page(request, wanted, ways)
        rows = [serializers.group(request, group) for group in page.rows]
        return Response(pagination.body(request, page, rows))


class GroupView(base.View):
    """``groups/{group_id}/``."""

    reads = "grouprecord"

    @openapi.operation(
        "groups_retrieve",
        tag="groups",
        summary="One group with its members",
        description=(
            "A group or chord, its first members in their order, and how many of them are in each "
            "state. To see the members and the body wants the permission to view tasks, too."
        ),
        parameters=[openapi.GROUP_ID, lists.PROJECT],
        responses={200: serializers.GroupDetail},
        problems=(404,),
        examples=[
            openapi.example(
                "A chord, of whose members one is on record",
                {
                    **_GROUP,
                    "graph_url": f"{_GROUP['url']}graph/",
                    "tasks_url": f"https://example.com/z4j/api/tasks/?group={_GROUP['group_id']}",
                    "body": None,
                    "members": {"counts": {"FAILURE": 1}, "results": [_TASK], "more": False},
                },
            )
        ],
    )
    def get(self, request: Request, group_id: str) -> Response:
        """The group."""
        base.known_parameters(request, ("project",))
        wanted = GroupRecord.objects.filter(project=base.project_of(request))
        group = lists.named(wanted, "group_id", group_id)
        if group is None:
            raise problems.NotFound("There is no group of this id on record.")
        members = body = None
        if permissions.can_view(base.actor_of(request), "taskrecord"):
            members = groups.members(group)
            body = tasks.by_ids(group.project, [group.body_id]).get(group.body_id)
        return Response(serializers.detail(request, group, members, body))


urlpatterns = [
    path("groups/", GroupsView.as_view(), name="groups"),
    path("groups/<z4j:group_id>/", GroupView.as_view(), name="group"),
]
