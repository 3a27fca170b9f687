"""The list of tasks, what has changed in it, one task, and its timeline."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, generic, pagination, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import PROJECT, TASK_ID, Fields, Parameter
from z4j_django.api.serializers import tasks as serializers
from z4j_django.api.terms import ORDERING, TERMS
from z4j_django.conf import settings
from z4j_django.models import TaskRecord
from z4j_django.operations import stacks
from z4j_django.queries import changes, events, operations, task_logs
from z4j_django.queries import filter as filters

#: Which fields of a list of tasks.
FIELDS: Final = Fields(serializers.TaskSerializer.Meta.fields, serializers.LISTED)
_SINCE: Final = Parameter(
    "since",
    "The `since` of an earlier answer: only tasks of which something was stored since. Such an "
    "answer has no pages; it tells of about a thousand events, and with `more` of further ones.",
    default=None,
    format="z4j-since",
)
#: What makes no sense of a list of changes.
_OF_PAGES: Final = (ORDERING, *pagination.PAGE)
_NO_LOGS: Final = "No logs of tasks are kept (Z4J['LOGS'])."
_NO_TIMELINE: Final = "The timeline is switched off (Z4J['TIMELINE'])."


class TasksView(base.View):
    """``tasks/``."""

    reads = "taskrecord"
    endpoints: ClassVar = {
        "get": Endpoint(
            "tasks_list",
            "List tasks",
            "Tasks that a filter finds, newest first. The parameters and the terms of `q` all have "
            "to hold. Arguments, results and tracebacks are to be asked for with `fields`.",
            parameters=(TERMS, ORDERING, FIELDS, *pagination.PAGE, _SINCE),
            answer=serializers.TaskListSerializer,
        )
    }

    def get(self, request: Request) -> Response:
        """A page, or what has changed."""
        asked, names = self.asked[TERMS.name], self.asked["fields"]
        if self.asked["since"] is not None:
            return Response(_changes(request, asked, names))
        cursor = self.asked["cursor"]
        more: dict[str, Any] = {}
        if settings.TIMELINE and cursor.key is None:
            more["since"] = changes.start().text()
        tasks = TaskRecord.objects.only(*serializers.columns(names))
        order = asked.order(self.asked["ordering"])
        try:
            page = asked.page(tasks, cursor, self.asked["limit"], order=order)
        except ValueError:
            raise pagination.wrong_cursor() from None
        rows = serializers.Rows(request, names).all(page.rows)
        notes = _notes(asked, page.looked_through)
        return Response(pagination.body(request, page, rows, notes=notes, **more))


class _TaskView(generic.Shown):
    """What is shown of one task."""

    reads = "taskrecord"

    def find(self, names: tuple[str, ...] = ()) -> TaskRecord:
        """The task of the address, with what these fields need.

        Raises:
            NotFound: If there is none on record.
        """
        rows = TaskRecord.objects.filter(project=self.asked["project"])
        rows = rows.only(*serializers.columns(names), "retry_of")
        record: TaskRecord | None = generic.named(rows, "task_id", self.asked["task_id"])
        if record is None:
            raise problems.NotFound("There is no task of this id on record.")
        return record


class TaskView(_TaskView):
    """``tasks/{task_id}/``."""

    endpoints: ClassVar = {
        "get": Endpoint(
            "tasks_retrieve",
            "One task",
            "All that is known of a task, its arguments and its traceback included.",
            parameters=(TASK_ID, PROJECT, Fields(serializers.DETAILED, serializers.DETAILED)),
            answer=serializers.TaskDetailSerializer,
            problems=(404,),
        )
    }

    def get(self, request: Request, task_id: str) -> Response:
        """The task."""
        names = self.asked["fields"]
        record = self.find(names)
        shown = serializers.Rows(request, names).row(record)
        if "retried_as" in names:
            shown["retried_as"] = operations.retried_as(record)
        return Response(shown)


class EventsView(_TaskView):
    """``tasks/{task_id}/events/``."""

    endpoints: ClassVar = {
        "get": Endpoint(
            "tasks_events",
            "What happened to a task",
            "Its timeline, in the order in which things happened.",
            parameters=(TASK_ID, PROJECT),
            answer=serializers.EventListSerializer,
            problems=(404,),
        )
    }

    def get(self, request: Request, task_id: str) -> Response:
        """The timeline."""
        notes = [] if settings.TIMELINE else [_NO_TIMELINE]
        return self.answer({**vars(events.timeline(self.find())), "notes": notes})


class LogsView(_TaskView):
    """``tasks/{task_id}/logs/``."""

    endpoints: ClassVar = {
        "get": Endpoint(
            "tasks_logs",
            "What a task wrote to its log",
            "The newest lines of it, in the order in which they were written.",
            parameters=(TASK_ID, PROJECT),
            answer=serializers.LogSerializer,
            problems=(404,),
        )
    }

    def get(self, request: Request, task_id: str) -> Response:
        """The lines."""
        notes = [] if settings.log_level is not None else [_NO_LOGS]
        return self.answer({**vars(task_logs.log(self.find())), "notes": notes})


class StackView(_TaskView):
    """``tasks/{task_id}/stack/``."""

    looks = "stack"
    endpoints: ClassVar = {
        "get": Endpoint(
            "tasks_stack",
            "What a running task does now",
            "The Python stack of the process that runs it, which its worker is asked for: files, "
            "lines and functions, and no values. It takes up to five seconds.",
            parameters=(TASK_ID, PROJECT),
            answer=serializers.StackSerializer,
            problems=(404,),
        )
    }

    def get(self, request: Request, task_id: str) -> Response:
        """The stack."""
        task = self.find(("state", "worker"))
        return self.answer(stacks.look(task, actor=base.actor_of(request)))


def _changes(request: Request, asked: filters.Filter, names: tuple[str, ...]) -> dict[str, Any]:
    """The tasks that have changed since a token was given out."""
    reason = "It does not go with since, which has no pages and no order."
    given = (one.name for one in _OF_PAGES if one.name in request.query_params)
    wrong = [{"name": name, "reason": reason} for name in given]
    if not settings.TIMELINE:
        wrong.append({"name": "since", "reason": f"Nothing tells what has changed. {_NO_TIMELINE}"})
    try:
        token = changes.Token.from_text(request.query_params["since"])
    except ValueError:
        token = changes.Token()
        wrong.append({"name": "since", "reason": "It is none that a list has answered with."})
    if wrong:
        raise problems.Invalid(wrong)
    found = changes.since(token)
    tasks = TaskRecord.objects.only(*serializers.columns(names))
    rows = [
        row
        for project, ids in found.tasks.items()
        for row in asked.matches(tasks.filter(project=project, task_id__in=ids))
    ]
    rows.sort(key=lambda row: row.pk, reverse=True)
    return {
        "next": None,
        "previous": None,
        "results": serializers.Rows(request, names).all(rows),
        "notes": [],
        "more": found.more,
        "since": found.token.text(),
    }


def _notes(asked: filters.Filter, looked_through: int | None) -> list[str]:
    """What there is to know of how a page was found."""
    notes = []
    if terms := asked.unindexed():
        notes.append(
            f"No index leads to {', '.join(terms)}: one task after the other is looked at. Beside "
            "a term with an index, such as sent, fewer are."
        )
    if looked_through is not None:
        notes.append(
            f"{looked_through:,} tasks were looked through; there may be more among those that "
            "next leads to."
        )
    return notes


urlpatterns = [
    path("tasks/", TasksView.as_view(), name="tasks"),
    path("tasks/<z4j:task_id>/events/", EventsView.as_view(), name="task-events"),
    path("tasks/<z4j:task_id>/logs/", LogsView.as_view(), name="task-logs"),
    path("tasks/<z4j:task_id>/stack/", StackView.as_view(), name="task-stack"),
    path("tasks/<z4j:task_id>/", TaskView.as_view(), name="task"),
]
