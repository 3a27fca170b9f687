"""Whole workflows, as graphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, get_args

from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, fields, generic, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import GROUP_ID, PROJECT, TASK_ID, Parameter
from z4j_django.api.serializers import tasks
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import flows, graphs
from z4j_django.queries.tasks import Relative


class NodeSerializer(fields.Record):
    """A task of a workflow."""

    task_id = serializers.CharField(help_text=TaskRecord._meta.get_field("task_id").help_text)
    known = serializers.BooleanField(
        help_text="False for a task that others name and that is not on record: not yet, or no "
        "more. Of a later step of a chain its name is known all the same; all else is null then."
    )
    never_sent = serializers.BooleanField(
        help_text="True for a step of a chain that is not on record because one before it ended "
        "badly: no message of it was ever sent."
    )
    url = serializers.URLField(allow_null=True, help_text="Its address.")

    class Meta:  # noqa: D106
        model = TaskRecord
        nullable = True
        fields = (
            *(
                "task_id",
                "known",
                "never_sent",
                "url",
                "name",
                "state",
                "queue",
                "worker",
                "retries",
            ),
            *("group_id", "group_index", "sent_at", "started_at", "finished_at", "runtime"),
        )


class GraphGroupSerializer(fields.Record):
    """A group or chord of a workflow."""

    group_id = serializers.CharField(help_text=GroupRecord._meta.get_field("group_id").help_text)
    known = serializers.BooleanField(
        help_text="False for a group that its members name and that is not on record: `url`, "
        "`kind` and `size` are null then."
    )
    url = serializers.URLField(allow_null=True, help_text="Its address.")
    body_id = serializers.CharField(help_text="The chord's body; empty where none is known.")
    counts = fields.Counts(
        help_text="How many of its members among `nodes` are in each state that one of them is in."
    )

    class Meta:  # noqa: D106
        model = GroupRecord
        nullable = True
        fields = ("group_id", "known", "url", "kind", "size", "body_id", "counts")


class EdgeSerializer(serializers.Serializer[Any]):
    """What leads from one to another."""

    kind = serializers.ChoiceField(
        choices=get_args(graphs.EdgeKind),
        help_text="`parent`: from a task to one that it published; `next`: from a step of a chain "
        "to one that waits for it, or never was sent; `member`: from a group to a task of it; "
        "`body`: from a chord to the task or group that takes its results; `retry`: "
        "from a task to one that retries it.",
    )
    source = serializers.CharField(help_text="Id of a task; of a group for `member` and `body`.")
    target = serializers.CharField(
        help_text="Id of a task; for `body` of a group, where the chord's body is one."
    )


class StepSerializer(serializers.Serializer[Any]):
    """A step of the workflow as people see it: a task with its retries, or several alike."""

    task_ids = serializers.ListField(
        child=serializers.CharField(),
        help_text="The newest of each task and its retries; of steps that are alike, such as the "
        f"members of a group, from {flows.FOLD_FROM} on all together. None where all that leads "
        "here has to end before any of what follows begins: the end of a chord's header.",
    )
    earlier = serializers.ListField(
        child=serializers.CharField(), help_text="What these retry, the oldest first."
    )
    name = serializers.CharField(help_text="The name of the tasks.")
    group_id = serializers.CharField(help_text="The group that they are members of, or empty.")
    counts = fields.Counts(
        help_text="How many stand how: by state, and `NOT SENT`, `NEVER SENT` where something "
        "before ended badly, `UNKNOWN` of what is not on record."
    )
    wait = serializers.FloatField(
        allow_null=True, help_text="Seconds that the newest attempt waited; of several, the most."
    )
    run = serializers.FloatField(
        allow_null=True, help_text="Seconds that it ran, so far or in all; of several, the most."
    )
    critical = serializers.BooleanField(
        help_text="Whether it is on the critical path: back from what ended last, each time to "
        "what ended last of what leads there."
    )
    after = serializers.ListField(
        child=serializers.IntegerField(), help_text="The places in this list of what leads to it."
    )


class GraphSerializer(serializers.Serializer[Any]):
    """A workflow: its tasks, its groups, and what leads from which to which."""

    root_id = serializers.CharField(
        help_text="The first task of it; empty for a group that no task published.",
    )
    nodes = NodeSerializer(
        many=True,
        help_text=f"The tasks, {graphs.LIMIT:,} at most: those on record in the order in which "
        "they came there, then those that are only named.",
    )
    groups = GraphGroupSerializer(many=True, help_text="The groups and chords.")
    edges = EdgeSerializer(many=True, help_text="Between the tasks, and from groups to tasks.")
    steps = StepSerializer(
        many=True,
        help_text="The same as people see it: retries as one, what is alike folded, each step "
        "before all that follow it.",
    )
    more = serializers.BooleanField(help_text="Whether there is more of it than this.")


_COLUMNS: Final = NodeSerializer.Meta.fields
_OF_A_RECORD: Final = tuple(name for name in _COLUMNS if name not in ("known", "never_sent"))


def graph(request: Request, found: graphs.Graph) -> dict[str, Any]:
    """A workflow, as :class:`GraphSerializer` says."""
    rows = tasks.Rows(request, _OF_A_RECORD)
    nodes = [
        {**dict.fromkeys(_COLUMNS), **_only_named(node)}
        if node.record is None
        else {"known": True, "never_sent": False, **rows.row(node.record)}
        for node in found.nodes
    ]
    return {
        "root_id": found.root_id,
        "nodes": nodes,
        "groups": [_group(request, one) for one in found.groups],
        "edges": [
            {"kind": edge.kind, "source": edge.source, "target": edge.target}
            for edge in found.edges
        ],
        "steps": _steps(flows.flow(found, timezone.now()).nodes),
        "more": found.more,
    }


def _steps(nodes: Sequence[flows.Node]) -> list[dict[str, Any]]:
    place = {id(node): number for number, node in enumerate(nodes)}
    return [
        {
            "task_ids": [step.task.task_id for step in node.steps],
            "earlier": [one.task_id for step in node.steps for one in step.earlier],
            "name": node.steps[0].name if node.steps else "",
            "group_id": node.steps[0].group_id if node.steps else "",
            "counts": dict(node.counts),
            "wait": _most(step.pace.wait for step in node.steps if step.pace),
            "run": _most(step.pace.run for step in node.steps if step.pace),
            "critical": node.is_critical,
            "after": [place[id(one)] for one in node.before],
        }
        for node in nodes
    ]


def _most(seconds: Iterable[float | None]) -> float | None:
    return max((one for one in seconds if one is not None), default=None)


def _only_named(node: Relative) -> dict[str, Any]:
    return {
        "task_id": node.task_id,
        "known": False,
        "never_sent": node.never_sent,
        "name": node.name or None,
    }


def _group(request: Request, found: graphs.Group) -> dict[str, Any]:
    record = found.record
    shown: dict[str, Any] = {"group_id": found.group_id, "known": record is not None}
    if record is None:
        shown |= {"url": None, "kind": None, "size": None}
    else:
        url = base.uri(request, "group", record.group_id, project=record.project)
        shown |= {"url": url, "kind": record.kind, "size": record.size}
    return {**shown, "body_id": found.body_id, "counts": dict(found.counts)}


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
        answer=GraphSerializer,
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
        return Response(graph(request, found))


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
