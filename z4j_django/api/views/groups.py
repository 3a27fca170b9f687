"""Groups and chords."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path

from z4j_django.api import generic, pagination
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import GROUP_ID, PROJECT, Text
from z4j_django.api.serializers import groups as serializers
from z4j_django.api.serializers.pages import page_of
from z4j_django.models import GroupRecord
from z4j_django.queries import groups, tasks


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
            answer=page_of(serializers.GroupSerializer, "groups"),
        )
    }

    def wanted(self) -> generic.Wanted:
        """Those of a project, by the search."""
        found = GroupRecord.objects.filter(project=self.asked["project"])
        return found, groups.ways(found, self.asked["q"])


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
            answer=serializers.GroupDetail,
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
        body = tasks.by_ids(found.project, [found.body_id]).get(found.body_id)
        return {"members": groups.members(found), "body": body}


urlpatterns = [
    path("groups/", GroupsView.as_view(), name="groups"),
    path("groups/<z4j:group_id>/", GroupView.as_view(), name="group"),
]
