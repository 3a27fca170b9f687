"""Run a group or chord again."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path

from z4j_django import operations
from z4j_django.api import operating
from z4j_django.api.parameters import GROUP_ID, PROJECT
from z4j_django.api.serializers import requests
from z4j_django.models import GroupRecord, Operation


class RetryView(operating.Act):
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


urlpatterns = [
    path("groups/<z4j:group_id>/retry/", RetryView.as_view(), name="group-retry"),
]
