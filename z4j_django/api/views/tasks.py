"""The list of tasks, one task, and its timeline."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, fields, filtersets, lists, openapi, pagination, problems
from z4j_django.api.serializers import tasks as serializers
from z4j_django.conf import settings
from z4j_django.exceptions import FilterError
from z4j_django.models import TaskRecord
from z4j_django.queries import changes, events, filters, operations

#: What a list can be asked for beside its filter.
_LIST: Final = ("ordering", "fields", *pagination.PARAMETERS, "since")
#: What makes no sense of a list of changes.
_OF_PAGES: Final = ("ordering", *pagination.PARAMETERS)
_NO_TIMELINE: Final = "The timeline is switched off (Z4J['TIMELINE'])."
_LONGEST_ID: Final = 255

_OF_TEXT: Final = ("state", "pattern", "text")


def described_terms() -> list[Any]:
    """The parameters of a filter, for the schema."""
    whole = openapi.parameter(
        filtersets.WHOLE,
        "A filter of any terms. Those of arguments can stand as parameters of their own, too: "
        "`args.0=7`, `kwargs.user_id=42`.",
        example="state:FAILURE name:shop.* sent:<2h",
        format="z4j-filter",
        maxLength=2000,
    )
    single = [
        openapi.parameter(
            name,
            f"Only {kind.help}." if kind.shape in _OF_TEXT else f"By {kind.help}.",
            example=kind.example.partition(":")[2],
            format=f"z4j-{kind.shape}",
        )
        for name, kind in filters.TERMS.items()
        if name not in filtersets.FAMILIES
    ]
    return [whole, *single]


ORDERING: Final = openapi.parameter(
    "ordering",
    "The order. By default the newest rows come first; where `sent` leads, those sent last. By "
    "`sent_at` only tasks are listed whose sending is on record.",
    enum=filters.ORDERINGS,
)
_SINCE: Final = openapi.parameter(
    "since",
    "The `since` of an earlier answer: only tasks of which something was stored since. Such an "
    "answer has no pages; it tells of about a thousand events, and with `more` of further ones.",
    format="z4j-since",
)
_TASK: Final = {
    "url": "https://example.com/z4j/api/tasks/6f1f4f5e-9a3c-4d0b-8a57-0f6f3f2a1b11/",
    "task_id": "6f1f4f5e-9a3c-4d0b-8a57-0f6f3f2a1b11",
    "name": "shop.tasks.charge",
    "state": "FAILURE",
    "sent_at": "2026-11-01T12:00:00.000000Z",
    "runtime": 0.731,
}


def asked_of(request: Request) -> filters.Filter:
    """The filter that the parameters make.

    Raises:
        WrongFilter: If one can't be read.
    """
    return filtersets.TaskFilterSet(request.query_params).asked


def order_of(request: Request, asked: filters.Filter) -> str:
    """The order that ``?ordering=`` asks for, or that of the filter.

    Raises:
        WrongFilter: If no index has it.
    """
    given = request.query_params.get("ordering")
    try:
        if given == "":  # which is none; to a filter it is nothing asked for
            raise FilterError(given, 0, f"one of {', '.join(filters.ORDERINGS)}")
        return asked.order(given or "")
    except FilterError as error:
        raise problems.WrongFilter({"ordering": error}) from None


class TasksView(base.View):
    """``tasks/``."""

    reads = "taskrecord"

    @openapi.operation(
        "tasks_list",
        tag="tasks",
        summary="List tasks",
        description=(
            "Tasks that a filter finds, newest first. The parameters and the terms of `q` all have "
            "to hold. Arguments, results and tracebacks are to be asked for with `fields`."
        ),
        parameters=[
            *described_terms(),
            ORDERING,
            fields.described(serializers.TaskSerializer),
            *pagination.DESCRIBED,
            _SINCE,
        ],
        responses={200: serializers.TaskListSerializer},
        examples=[
            openapi.example(
                "Failures",
                {
                    "next": None,
                    "previous": None,
                    "results": [_TASK],
                    "notes": [],
                    "since": "ks0qkJA",
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """A page, or what has changed."""
        known = (*filtersets.PARAMETERS, *_LIST)
        base.known_parameters(request, known, repeatable=filtersets.PARAMETERS)
        names = fields.wanted(request, serializers.TaskSerializer, serializers.LISTED)
        asked = asked_of(request)
        if "since" in request.query_params:
            return Response(_changes(request, asked, names))
        limit, place = pagination.limit_of(request), pagination.place_of(request)
        order = order_of(request, asked)
        more: dict[str, Any] = {}
        if settings.TIMELINE and place.key is None:
            more["since"] = changes.start().text()
        tasks = TaskRecord.objects.only(*serializers.columns(names))
        try:
            page = asked.page(tasks, place, limit, order=order)
        except ValueError:
            raise pagination.wrong_cursor() from None
        rows = serializers.Rows(request, names).all(page.rows)
        notes = _notes(asked, page.looked_through)
        return Response(pagination.body(request, page, rows, notes=notes, **more))


class TaskView(base.View):
    """``tasks/{task_id}/``."""

    reads = "taskrecord"

    @openapi.operation(
        "tasks_retrieve",
        tag="tasks",
        summary="One task",
        description="All that is known of a task, its arguments and its traceback included.",
        parameters=[
            openapi.TASK_ID,
            lists.PROJECT,
            fields.described(serializers.TaskDetailSerializer),
        ],
        responses={200: serializers.TaskDetailSerializer},
        problems=(404,),
        examples=[openapi.example("With some of its fields", _TASK)],
    )
    def get(self, request: Request, task_id: str) -> Response:
        """The task."""
        base.known_parameters(request, ("project", "fields"))
        wanted = fields.wanted(request, serializers.TaskDetailSerializer, serializers.DETAILED)
        record = find(request, task_id, wanted)
        shown = serializers.Rows(request, wanted).row(record)
        if "retried_as" in wanted:
            again = operations.retries(record).retried_as
            shown["retried_as"] = [one.task_id for one in again]
        return Response(shown)


class EventsView(base.View):
    """``tasks/{task_id}/events/``."""

    reads = "taskrecord"

    @openapi.operation(
        "tasks_events",
        tag="tasks",
        summary="What happened to a task",
        description="Its timeline, in the order in which things happened.",
        parameters=[openapi.TASK_ID, lists.PROJECT],
        responses={200: serializers.EventListSerializer},
        problems=(404,),
        examples=[
            openapi.example(
                "Sent, and not taken yet",
                {
                    "results": [
                        {
                            "row": 1,
                            "kind": "task_sent",
                            "at": "2026-11-01T12:00:00.000000Z",
                            "since_previous": None,
                            "retries": 0,
                            "worker": "",
                            "pid": 4711,
                            "detail": "",
                        }
                    ],
                    "more": False,
                    "notes": [],
                },
            )
        ],
    )
    def get(self, request: Request, task_id: str) -> Response:
        """The timeline."""
        base.known_parameters(request, ("project",))
        timeline = events.timeline(find(request, task_id, ()))
        return Response(
            {
                "results": [serializers.event(entry) for entry in timeline.entries],
                "more": timeline.more,
                "notes": [] if settings.TIMELINE else [_NO_TIMELINE],
            }
        )


def find(request: Request, task_id: str, names: tuple[str, ...]) -> TaskRecord:
    """The task of an address, with what these fields need.

    Raises:
        NotFound: If there is none on record.
    """
    project = base.project_of(request)
    record = None
    if len(task_id) <= _LONGEST_ID and "\0" not in task_id:
        columns = [*serializers.columns(names), "retry_of"]
        tasks = TaskRecord.objects.filter(project=project, task_id=task_id)
        record = tasks.only(*columns).first()
    # MySQL takes a text for the same with spaces at its end.
    if record is None or record.task_id != task_id:
        raise problems.NotFound("There is no task of this id on record.")
    return record


def _changes(request: Request, asked: filters.Filter, names: tuple[str, ...]) -> dict[str, Any]:
    """The tasks that have changed since a token was given out."""
    reason = "It does not go with since, which has no pages and no order."
    wrong = [{"name": one, "reason": reason} for one in _OF_PAGES if one in request.query_params]
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
    path("tasks/<z4j:task_id>/", TaskView.as_view(), name="task"),
]
