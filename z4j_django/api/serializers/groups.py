"""Groups and chords."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from z4j_django.api import base, fields
from z4j_django.api.serializers import tasks
from z4j_django.api.serializers.pages import Page, tasks_uri
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import groups


class GroupSerializer(serializers.Serializer[Any]):
    """A group or chord."""

    url = serializers.SerializerMethodField(help_text="Its address.")
    row = serializers.IntegerField(
        source="pk", help_text="The number of its row; later groups have greater ones."
    )
    project = serializers.CharField(help_text="The project that it belongs to.")
    group_id = serializers.CharField(help_text="Its id, as Celery has it.")
    kind = serializers.ChoiceField(
        choices=GroupRecord.Kind.values,
        help_text="`chord` where a body takes the members' results, else `group`.",
    )
    size = serializers.IntegerField(help_text="How many members it has, as far as they were seen.")
    body_id = serializers.CharField(
        allow_blank=True, help_text="The chord's body; empty for a group."
    )
    body_name = serializers.CharField(allow_blank=True, help_text="The name of that task.")
    root_id = serializers.CharField(
        allow_blank=True,
        help_text="The first task of its workflow; empty where no task published it.",
    )
    first_seen = fields.Moment(help_text="When the first of its members was seen.")

    def get_url(self, group: GroupRecord) -> str:
        """Where it is."""
        return base.uri(self.context["request"], "group", group.group_id, project=group.project)


class GroupPage(Page):
    """A page of groups."""

    results = GroupSerializer(many=True, help_text="The groups.")


class MembersSerializer(serializers.Serializer[Any]):
    """The members of a group that are on record."""

    counts = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="How many of `results` are in each state that one of them is in.",
    )
    results = tasks.TaskSerializer(many=True, help_text="The members, in their order.")
    more = serializers.BooleanField(
        help_text=f"Whether there are others beside the first {groups.MEMBERS_LIMIT}, which "
        "`tasks_url` leads to."
    )


class GroupDetail(GroupSerializer):
    """A group or chord with its members."""

    graph_url = serializers.URLField(help_text="Address of the workflow that it belongs to.")
    tasks_url = serializers.URLField(help_text="Address of the list of its members.")
    body = tasks.TaskSerializer(
        allow_null=True,
        help_text="The chord's body; null where none is on record, and for whoever may not view "
        "tasks.",
    )
    members = MembersSerializer(
        allow_null=True, help_text="The members; null for whoever may not view tasks."
    )


def group(request: Request, record: GroupRecord) -> dict[str, Any]:
    """A group, as :class:`GroupSerializer` says."""
    return dict(GroupSerializer(record, context={"request": request}).data)


def detail(
    request: Request,
    record: GroupRecord,
    members: groups.Members | None,
    body: TaskRecord | None,
) -> dict[str, Any]:
    """A group, as :class:`GroupDetail` says.

    Args:
        request: Which asks.
        record: The group.
        members: Its members; ``None``, where they are not to be shown.
        body: The chord's body.
    """
    project, rows = record.project, tasks.Rows(request, tasks.LISTED)
    shown = {
        **group(request, record),
        "graph_url": base.uri(request, "group-graph", record.group_id, project=project),
        "tasks_url": tasks_uri(request, group=record.group_id, project=project),
        "body": None if body is None else rows.row(body),
        "members": None,
    }
    if members is not None:
        shown["members"] = {
            "counts": dict(members.counts),
            "results": rows.all(members.records),
            "more": members.more,
        }
    return shown
