"""Whole workflows, as graphs."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, generic, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import GROUP_ID, PROJECT, TASK_ID, Parameter
from z4j_django.api.serializers import graphs as serializers
from z4j_django.queries import graphs

_ABOUT: Final = (
    "All that hangs together: the tasks of one root, the members of a group, a chord's body, a "
    f"task and what retries it. It has {graphs.LIMIT:,} tasks at most, and `more` where there are "
    "others. To see it wants the permissions to view tasks and to view groups."
)


def _endpoint(id: str, summary: str, which: Parameter) -> Endpoint:
    return Endpoint(
        id,
        summary,
        _ABOUT,
        parameters=(which, PROJECT),
        answer=serializers.GraphSerializer,
        problems=(404,),
    )


class _GraphView(base.View):
    """A graph has tasks and groups in it."""

    reads = "taskrecord"
    also = "grouprecord"
    noun: ClassVar[str]
    #: The graph of what has an id within a project.
    find: ClassVar[Any]

    def get(self, request: Request, **path: str) -> Response:
        """The graph, if there is one."""
        (name,) = path.values()
        found = self.find(self.asked["project"], name) if generic.may_be(name) else None
        if found is None:
            raise problems.NotFound(f"There is no {self.noun} of this id on record.")
        return Response(serializers.graph(request, found))


class TaskGraphView(_GraphView):
    """``tasks/{task_id}/graph/``."""

    noun = "task"
    find = staticmethod(graphs.of_task)
    endpoints: ClassVar = {"get": _endpoint("tasks_graph", "The workflow of a task", TASK_ID)}


class GroupGraphView(_GraphView):
    """``groups/{group_id}/graph/``."""

    noun = "group"
    find = staticmethod(graphs.of_group)
    endpoints: ClassVar = {"get": _endpoint("groups_graph", "The workflow of a group", GROUP_ID)}


urlpatterns = [
    path("tasks/<z4j:task_id>/graph/", TaskGraphView.as_view(), name="task-graph"),
    path("groups/<z4j:group_id>/graph/", GroupGraphView.as_view(), name="group-graph"),
]
