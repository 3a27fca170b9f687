"""Retry, cancel and terminate one task."""

from __future__ import annotations

from typing import ClassVar

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import operations
from z4j_django.api import base, openapi, operating
from z4j_django.api.serializers import requests
from z4j_django.api.serializers.strict import Body
from z4j_django.models import TaskRecord

_SILENT = "No worker answered within 5 s: whether any will refuse it is unknown. It was PENDING."


class _TaskOperation(base.View):
    """Does one verb to one task."""

    body: ClassVar[type[Body]] = requests.NoOptions

    def act(self, request: Request, task_id: str) -> Response:
        """Do it, as the body says."""
        base.known_parameters(request, operating.PARAMETERS)
        project = base.project_of(request)
        options = operating.body_of(request, self.body)
        tasks = TaskRecord.objects.filter(project=project)
        operating.require(tasks, "task_id", task_id, "task")
        perform = getattr(operations, self.verb)
        with operating.refusals_to(request):
            operation = perform(
                [task_id], actor=request.user, project=project, surface="api", **options
            )
        return operating.answer(request, operation)


class RetryView(_TaskOperation):
    """``tasks/{task_id}/retry/``."""

    verb = "retry"
    body = requests.RetryTask

    @openapi.operation(
        "tasks_retry",
        tag="tasks",
        summary="Retry a task",
        description=(
            "Publishes the original message again under a new id: same queue, priority, headers, "
            "limits, callbacks and rest of its chain. The new id is the target's `result_id`."
        ),
        parameters=[openapi.TASK_ID, *operating.DESCRIBED],
        request=requests.RetryTask,
        responses=operating.ACCEPTED,
        problems=(404, 409),
        examples=[
            openapi.example("As it was", {}, request=True),
            openapi.example(
                "In an hour, with other arguments",
                {"kwargs": {"order_id": 42}, "countdown": 3600},
                request=True,
            ),
            operating.example("It was published again", "retry", ("6f1f4f5e", "done", "0b9d3c1e")),
        ],
    )
    def post(self, request: Request, task_id: str) -> Response:
        """Retry it."""
        return self.act(request, task_id)


class CancelView(_TaskOperation):
    """``tasks/{task_id}/cancel/``."""

    verb = "cancel"

    @openapi.operation(
        "tasks_cancel",
        tag="tasks",
        summary="Cancel a task",
        description=(
            "Has the workers throw it away before it starts. What runs already goes on, and is "
            "refused. The workers have 5 seconds to answer."
        ),
        parameters=[openapi.TASK_ID, *operating.DESCRIBED],
        responses=operating.ACCEPTED,
        problems=(404, 409),
        examples=[
            operating.example("No worker answered", "cancel", ("6f1f4f5e", "unknown", _SILENT))
        ],
    )
    def post(self, request: Request, task_id: str) -> Response:
        """Cancel it."""
        return self.act(request, task_id)


class TerminateView(_TaskOperation):
    """``tasks/{task_id}/terminate/``."""

    verb = "terminate"
    body = requests.TerminateTask

    @openapi.operation(
        "tasks_terminate",
        tag="tasks",
        summary="Terminate a task",
        description=(
            "Sends a signal to the process that runs it, in the middle of whatever it does; one "
            "that waits is cancelled. The workers have 5 seconds to answer."
        ),
        parameters=[openapi.TASK_ID, *operating.DESCRIBED],
        request=requests.TerminateTask,
        responses=operating.ACCEPTED,
        problems=(404, 409),
        examples=[
            openapi.example("At once", {"signal": "SIGKILL"}, request=True),
            operating.example("It was told", "terminate", ("6f1f4f5e", "done", "")),
        ],
    )
    def post(self, request: Request, task_id: str) -> Response:
        """Terminate it."""
        return self.act(request, task_id)


urlpatterns = [
    path("tasks/<z4j:task_id>/retry/", RetryView.as_view(), name="task-retry"),
    path("tasks/<z4j:task_id>/cancel/", CancelView.as_view(), name="task-cancel"),
    path("tasks/<z4j:task_id>/terminate/", TerminateView.as_view(), name="task-terminate"),
]
