"""A workflow as a graph."""

from __future__ import annotations

from typing import Any, Final, get_args

from rest_framework import serializers
from rest_framework.request import Request

from z4j_django import states
from z4j_django.api import base, fields
from z4j_django.api.serializers import tasks
from z4j_django.models import GroupRecord
from z4j_django.queries import graphs

_Text = serializers.CharField
_Whole = serializers.IntegerField


class NodeSerializer(serializers.Serializer[Any]):
    """A task of a workflow."""

    task_id = _Text(help_text="Its id, as Celery has it.")
    known = serializers.BooleanField(
        help_text="False for a task that others name and that is not on record: not yet, or no "
        "more. All that follows is null then."
    )
    url = serializers.URLField(allow_null=True, help_text="Its address.")
    name = _Text(
        allow_null=True, allow_blank=True, help_text="Its name; empty where only its id is known."
    )
    state = serializers.ChoiceField(
        choices=states.ALL, allow_null=True, help_text="Celery's name of its state."
    )
    queue = _Text(allow_null=True, allow_blank=True, help_text="The queue that it was sent to.")
    worker = _Text(allow_null=True, allow_blank=True, help_text="The worker that took it last.")
    retries = _Whole(allow_null=True, help_text="How often it was retried by itself.")
    group_id = _Text(
        allow_null=True, allow_blank=True, help_text="The group or chord that it is a member of."
    )
    group_index = _Whole(allow_null=True, help_text="Its place in that group, from 0.")
    sent_at = fields.Moment(allow_null=True, help_text="When it was published first.")
    started_at = fields.Moment(allow_null=True, help_text="When its newest attempt began.")
    finished_at = fields.Moment(allow_null=True, help_text="When its newest attempt ended.")
    runtime = serializers.FloatField(
        allow_null=True, help_text="How long its newest attempt ran, in seconds."
    )


class GraphGroupSerializer(serializers.Serializer[Any]):
    """A group or chord of a workflow."""

    group_id = _Text(help_text="Its id, as Celery has it.")
    known = serializers.BooleanField(
        help_text="False for a group that its members name and that is not on record: `url`, "
        "`kind` and `size` are null then."
    )
    url = serializers.URLField(allow_null=True, help_text="Its address.")
    kind = serializers.ChoiceField(
        choices=GroupRecord.Kind.values,
        allow_null=True,
        help_text="`chord` where a body takes the members' results, else `group`.",
    )
    size = _Whole(allow_null=True, help_text="How many members it has, as far as they were seen.")
    body_id = _Text(allow_blank=True, help_text="The chord's body; empty where none is known.")
    counts = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="How many of its members among `nodes` are in each state that one of them is in.",
    )


class EdgeSerializer(serializers.Serializer[Any]):
    """What leads from one to another."""

    kind = serializers.ChoiceField(
        choices=get_args(graphs.EdgeKind),
        help_text="`parent`: from a task to one that it published; `member`: from a group to a "
        "task of it; `body`: from a chord to the task that takes its results; `retry`: from a "
        "task to one that retries it.",
    )
    source = _Text(help_text="Id of a task; of a group for `member` and `body`.")
    target = _Text(help_text="Id of a task.")


class GraphSerializer(serializers.Serializer[Any]):
    """A workflow: its tasks, its groups, and what leads from which to which."""

    root_id = _Text(
        allow_blank=True,
        help_text="The first task of it; empty for a group that no task published.",
    )
    nodes = NodeSerializer(
        many=True,
        help_text=f"The tasks, {graphs.LIMIT:,} at most: those on record in the order in which "
        "they came there, then those that are only named.",
    )
    groups = GraphGroupSerializer(many=True, help_text="The groups and chords.")
    edges = EdgeSerializer(many=True, help_text="Between the tasks, and from groups to tasks.")
    more = serializers.BooleanField(help_text="Whether there is more of it than this.")


_COLUMNS: Final = tuple(NodeSerializer._declared_fields)
_OF_A_RECORD: Final = tuple(name for name in _COLUMNS if name != "known")


def graph(request: Request, found: graphs.Graph) -> dict[str, Any]:
    """A workflow, as :class:`GraphSerializer` says."""
    rows = tasks.Rows(request, _OF_A_RECORD)
    nodes = [
        {**dict.fromkeys(_COLUMNS), "task_id": node.task_id, "known": False}
        if node.record is None
        else {"known": True, **rows.row(node.record)}
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
        "more": found.more,
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
