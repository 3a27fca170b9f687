"""One view for each verb: what it does to the task, group or queue of its address."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path

from z4j_django import operations
from z4j_django.api import operating
from z4j_django.api.parameters import GROUP_ID, PROJECT, QUEUE, TASK_ID
from z4j_django.api.serializers import requests
from z4j_django.exceptions import OperationError
from z4j_django.models import GroupRecord, Operation, TaskRecord
from z4j_django.queries import operations as queries


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


class RetryGroupView(operating.Act):
    """``groups/{group_id}/retry/``."""

    verb = "retry_group"
    on = GroupRecord
    column = "group_id"
    single = False
    endpoints: ClassVar = {
        "post": operating.endpoint(
            "groups_retry",
            "Run a group or chord again",
            "All of it, what failed of it, or the chord's body alone. Nothing is published unless "
            "all of it can be. The operation's targets are the tasks that were published, by their "
            "old ids.",
            GROUP_ID,
            PROJECT,
            body=requests.RetryGroup,
        )
    }

    def act(self, name: str, **options: Any) -> Operation:
        """Run it again."""
        return operations.retry_group(
            name,
            actor=self.request.user,
            project=self.asked["project"],
            surface="api",
            **options,
        )


class PurgeView(operating.Act):
    """``queues/{name}/purge/``."""

    verb = "purge_queue"
    endpoints: ClassVar = {
        "post": operating.endpoint(
            "queues_purge",
            "Purge a queue",
            "Takes out as many messages as lie in it now, and keeps them; `restore` puts them "
            "back. What a worker holds already runs on. The broker has 10 seconds for each answer.",
            QUEUE,
            body=requests.PurgeQueue,
            problems=(409,),
        )
    }

    def act(self, name: str, **options: Any) -> Operation:
        """Purge it, where its name was typed back."""
        return operations.purge_queue(name, actor=self.request.user, surface="api", **options)


class RestoreView(operating.Act):
    """``queues/{name}/restore/``."""

    verb = "restore"
    endpoints: ClassVar = {
        "post": operating.endpoint(
            "queues_restore",
            "Put back what a purge removed",
            "Publishes each message as it was, straight to its queue. Where it was cut off, it "
            "can be asked for again: what is in the queue or was received is not put back twice.",
            QUEUE,
            body=requests.RestoreQueue,
            problems=(409,),
        )
    }

    def act(self, name: str, **options: Any) -> Operation:
        """Put back what the purge of the body's number took from this queue."""
        number = options["operation"]
        purge = queries.find(number)
        if (
            purge is None
            or purge.verb != Operation.Verb.PURGE_QUEUE
            or purge.parameters.get("queue") != name
        ):
            raise OperationError(f"Operation {number} is no purge of this queue.")
        return operations.restore(number, actor=self.request.user, surface="api")


urlpatterns = [
    path("tasks/<z4j:task_id>/retry/", RetryView.as_view(), name="task-retry"),
    path("tasks/<z4j:task_id>/cancel/", CancelView.as_view(), name="task-cancel"),
    path("tasks/<z4j:task_id>/terminate/", TerminateView.as_view(), name="task-terminate"),
    path("groups/<z4j:group_id>/retry/", RetryGroupView.as_view(), name="group-retry"),
    path("queues/<z4j:name>/purge/", PurgeView.as_view(), name="queue-purge"),
    path("queues/<z4j:name>/restore/", RestoreView.as_view(), name="queue-restore"),
]
