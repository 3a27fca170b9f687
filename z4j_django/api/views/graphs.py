"""Whole workflows, as graphs."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import permissions
from z4j_django.api import base, lists, openapi, problems
from z4j_django.api.serializers import graphs as serializers
from z4j_django.queries import graphs

_ABOUT: Final = (
    "All that hangs together: the tasks of one root, the members of a group, a chord's body, a "
    f"task and what retries it. It has {graphs.LIMIT:,} tasks at most, and `more` where there are "
    "others. To see it wants the permissions to view tasks and to view groups."
)
_EXAMPLE: Final = openapi.example(
    "A chord that waits for its one member",
    {
        "root_id": "6f1f4f5e",
        "nodes": [
            {
                "known": True,
                "task_id": "6f1f4f5e",
                "url": "https://example.com/z4j/api/tasks/6f1f4f5e/",
                "name": "shop.tasks.charge",
                "state": "STARTED",
                "queue": "mail",
                "worker": "w1@shop",
                "retries": 0,
                "group_id": "0b9d3c1e",
                "group_index": 0,
                "sent_at": "2026-11-01T12:00:00.000000Z",
                "started_at": "2026-11-01T12:00:01.000000Z",
                "finished_at": None,
                "runtime": None,
            },
            {
                "known": False,
                "task_id": "c0a8f0de",
                "url": None,
                "name": None,
                "state": None,
                "queue": None,
                "worker": None,
                "retries": None,
                "group_id": None,
                "group_index": None,
                "sent_at": None,
                "started_at": None,
                "finished_at": None,
                "runtime": None,
            },
        ],
        "groups": [
            {
                "group_id": "0b9d3c1e",
                "known": True,
                "url": "https://example.com/z4j/api/groups/0b9d3c1e/",
                "kind": "chord",
                "size": 1,
                "body_id": "c0a8f0de",
                "counts": {"STARTED": 1},
            }
        ],
        "edges": [
            {"kind": "member", "source": "0b9d3c1e", "target": "6f1f4f5e"},
            {"kind": "body", "source": "0b9d3c1e", "target": "c0a8f0de"},
        ],
        "more": False,
    },
)


class _GraphView(base.View):
    """A graph has tasks and groups in it."""

    reads = "taskrecord"

    def refuses(self, request: Request) -> str | None:
        """Both permissions are wanted."""
        if (why := super().refuses(request)) is not None:
            return why
        if permissions.can_view(base.actor_of(request), "grouprecord"):
            return None
        return f"The permission {permissions.view_permission('grouprecord')} is missing."

    def answer(self, request: Request, found: graphs.Graph | None, noun: str) -> Response:
        """The graph, if there is one."""
        if found is None:
            raise problems.NotFound(f"There is no {noun} of this id on record.")
        return Response(serializers.graph(request, found))


class TaskGraphView(_GraphView):
    """``tasks/{task_id}/graph/``."""

    @openapi.operation(
        "tasks_graph",
        tag="tasks",
        summary="The workflow of a task",
        description=_ABOUT,
        parameters=[openapi.TASK_ID, lists.PROJECT],
        responses={200: serializers.GraphSerializer},
        problems=(404,),
        examples=[_EXAMPLE],
    )
    def get(self, request: Request, task_id: str) -> Response:
        """The graph."""
        base.known_parameters(request, ("project",))
        project = base.project_of(request)
        found = graphs.of_task(project, task_id) if lists.may_be(task_id) else None
        return self.answer(request, found, "task")


class GroupGraphView(_GraphView):
    """``groups/{group_id}/graph/``."""

    @openapi.operation(
        "groups_graph",
        tag="groups",
        summary="The workflow of a group",
        description=_ABOUT,
        parameters=[openapi.GROUP_ID, lists.PROJECT],
        responses={200: serializers.GraphSerializer},
        problems=(404,),
        examples=[_EXAMPLE],
    )
    def get(self, request: Request, group_id: str) -> Response:
        """The graph."""
        base.known_parameters(request, ("project",))
        project = base.project_of(request)
        found = graphs.of_group(project, group_id) if lists.may_be(group_id) else None
        return self.answer(request, found, "group")


urlpatterns: list[Any] = [
    path("tasks/<z4j:task_id>/graph/", TaskGraphView.as_view(), name="task-graph"),
    path("groups/<z4j:group_id>/graph/", GroupGraphView.as_view(), name="group-graph"),
]
