"""Retry, cancel and terminate one task."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path

from z4j_django import operations
from z4j_django.api import operating
from z4j_django.api.parameters import PROJECT, TASK_ID
from z4j_django.api.serializers import requests
from z4j_django.models import Operation, TaskRecord


class _TaskView(operating.Act):
    """Does one verb to one task."""

    on = TaskRecord
    column = "task_id"

    def act(self, name: str, **options: Any) -> Operation:
        """By the function of the verb's name."""
        perform = getattr(operations, self.verb)
        found: Operation = perform(
            [name],
            actor=self.request.user,
            project=self.asked["project"],
            surface="api",
            **options,
        )
        return found


class RetryView(_TaskView):
    """``tasks/{task_id}/retry/``."""

    verb = "retry"
    endpoints: ClassVar = {
        "post": operating.endpoint(
            "tasks_retry",
            "Retry a task",
            "Publishes the original message again under a new id: same queue, priority, headers, "
            "limits, callbacks and rest of its chain. The new id is the target's `result_id`.",
            TASK_ID,
            PROJECT,
            body=requests.RetryTask,
        )
    }


class CancelView(_TaskView):
    """``tasks/{task_id}/cancel/``."""

    verb = "cancel"
    endpoints: ClassVar = {
        "post": operating.endpoint(
            "tasks_cancel",
            "Cancel a task",
            "Has the workers throw it away before it starts. What runs already goes on, and is "
            "refused. The workers have 5 seconds to answer.",
            TASK_ID,
            PROJECT,
        )
    }


class TerminateView(_TaskView):
    """``tasks/{task_id}/terminate/``."""

    verb = "terminate"
    endpoints: ClassVar = {
        "post": operating.endpoint(
            "tasks_terminate",
            "Terminate a task",
            "Sends a signal to the process that runs it, in the middle of whatever it does; one "
            "that waits is cancelled. The workers have 5 seconds to answer.",
            TASK_ID,
            PROJECT,
            body=requests.TerminateTask,
        )
    }


urlpatterns = [
    path("tasks/<z4j:task_id>/retry/", RetryView.as_view(), name="task-retry"),
    path("tasks/<z4j:task_id>/cancel/", CancelView.as_view(), name="task-cancel"),
    path("tasks/<z4j:task_id>/terminate/", TerminateView.as_view(), name="task-terminate"),
]
