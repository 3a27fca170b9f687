"""Groups and chords."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path
from rest_framework import serializers

from z4j_django.api import fields, generic, pagination
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import GROUP_ID, PROJECT, Text
from z4j_django.api.serializers.tasks import TaskSerializer
from z4j_django.models import GroupRecord
from z4j_django.queries import groups, tasks


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
        help_text="The chord's body; of a body that is a chord, that chord's. Null where none is "
        "on record, and for whoever may not view tasks.",
    )
    members = MembersSerializer(
        allow_null=True, help_text="The members; null for whoever may not view tasks."
    )

    class Meta(GroupSerializer.Meta):  # noqa: D106
        fields = (*GroupSerializer.Meta.fields, "graph_url", "tasks_url", "body", "members")


class GroupsView(generic.List):
    """``groups/``."""

    reads = "grouprecord"
    endpoints: ClassVar = {
        "get": Endpoint(
            "groups_list",
            "List groups",
            "Groups and chords, newest first.",
            parameters=(
                Text(
                    "q",
                    "Only groups whose id begins with this, or whose body has it as its whole id.",
                    shortest=tasks.ID_PREFIX_LENGTH,
                ),
                PROJECT,
                *pagination.PAGE,
            ),
            answer=pagination.page_of(GroupSerializer, "groups"),
        )
    }

    def wanted(self) -> generic.Wanted:
        """Those of a project, by the search."""
        found = GroupRecord.objects.filter(project=self.asked["project"])
        return found, groups.ranges(found, self.asked["q"])


class GroupView(generic.Detail):
    """``groups/{group_id}/``."""

    reads = "grouprecord"
    missing = "There is no group of this id on record."
    endpoints: ClassVar = {
        "get": Endpoint(
            "groups_retrieve",
            "One group with its members",
            "A group or chord, its first members in their order, and how many of them are in each "
            "state. To see the members and the body wants the permission to view tasks, too.",
            parameters=(GROUP_ID, PROJECT),
            answer=GroupDetail,
            problems=(404,),
        )
    }

    def find(self) -> Any:
        """The group."""
        rows = GroupRecord.objects.filter(project=self.asked["project"])
        return generic.named(rows, "group_id", self.asked["group_id"])

    def beside(self, found: GroupRecord) -> dict[str, Any]:
        """Its members and its body, for whoever may view tasks."""
        if not self.sees("taskrecord"):
            return {"members": None, "body": None}
        body = groups.bodies([found]).get((found.project, found.body_id))
        return {"members": groups.members(found), "body": body}


urlpatterns = [
    path("groups/", GroupsView.as_view(), name="groups"),
    path("groups/<z4j:group_id>/", GroupView.as_view(), name="group"),
]
