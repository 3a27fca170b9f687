"""Groups and chords."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from z4j_django.api import fields
from z4j_django.api.serializers.tasks import TaskSerializer
from z4j_django.models import GroupRecord
from z4j_django.queries import groups


class GroupSerializer(fields.Record):
    """A group or chord."""

    url = fields.Address("group", "group_id", project=True, help_text="Its address.")
    row = fields.Row("groups")

    class Meta:  # noqa: D106
        model = GroupRecord
        fields: tuple[str, ...] = (
            *("url", "row", "project", "group_id", "kind", "size"),
            *("body_id", "body_name", "root_id", "first_seen"),
        )


class MembersSerializer(serializers.Serializer[Any]):
    """The members of a group that are on record."""

    counts = fields.Counts(
        help_text="How many of `results` are in each state that one of them is in."
    )
    results = TaskSerializer(source="records", many=True, help_text="The members, in their order.")
    more = serializers.BooleanField(
        help_text=f"Whether there are others beside the first {groups.MEMBERS_LIMIT}, which "
        "`tasks_url` leads to."
    )


class GroupDetail(GroupSerializer):
    """A group or chord with its members."""

    graph_url = fields.Address(
        "group-graph",
        "group_id",
        project=True,
        help_text="Address of the workflow that it belongs to.",
    )
    tasks_url = fields.TasksAddress(
        group="group_id", project="project", help_text="Address of the list of its members."
    )
    body = TaskSerializer(
        allow_null=True,
        help_text="The chord's body; null where none is on record, and for whoever may not view "
        "tasks.",
    )
    members = MembersSerializer(
        allow_null=True, help_text="The members; null for whoever may not view tasks."
    )

    class Meta(GroupSerializer.Meta):  # noqa: D106
        fields = (*GroupSerializer.Meta.fields, "graph_url", "tasks_url", "body", "members")
