"""Groups and chords, with their members in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from z4j_django import verbs
from z4j_django.admin import formatting, trails
from z4j_django.admin.acting import ActingAdmin, Action
from z4j_django.admin.group_pages import ACTIONS, GroupPage
from z4j_django.admin.readonly import facts
from z4j_django.admin.workflow_pages import WorkflowPage
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import groups, tasks
from z4j_django.queries.index_ranges import IndexRange


@admin.register(GroupRecord)
class GroupAdmin(ActingAdmin):
    """Every group and chord, newest first."""

    list_display = ("shown_id", "kind", "shown_size", "shown_body", "body_state", "seen")
    list_display_links = None
    search_fields = ("group_id", "body_id")
    search_help_text = "Searches group ids (whole, or their beginning) and whole ids of bodies."
    detail_template = "admin/z4j_django/grouprecord/detail.html"

    def get_urls(self) -> list[Any]:
        """With the pages that run groups again."""
        own = [
            self.page(f"retry/{members}/", f"retry_{members}", GroupPage, members=members)
            for members in ACTIONS
        ]
        own.append(self.page("<str:object_id>/workflow/", "workflow", WorkflowPage))
        return [*own, *super().get_urls()]

    def offered(self) -> list[Action]:
        """Each way to run groups again."""
        return [
            Action(f"retry_{members}", words, f"retry_{members}", verbs.RETRY_GROUP.name)
            for members, words in ACTIONS.items()
        ]

    def chosen_rows(self, chosen: Iterable[GroupRecord]) -> list[dict[str, str]]:
        """Lines for a table of groups."""
        return [
            {
                "link": self.link(self.url(group), formatting.identifier(group.group_id)),
                "kind": group.kind,
                "size": str(group.size),
                "body": self.shown_body(group),
                "seen": self.seen(group),
            }
            for group in chosen
        ]

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """The body's state is the task's to show."""
        columns = self.list_display
        if self.may_view(request, TaskRecord):
            return columns
        return tuple(column for column in columns if column != "body_state")

    def search_ranges(self, queryset: QuerySet[GroupRecord], text: str) -> list[IndexRange]:
        """Ids by their beginnings."""
        return groups.ranges(queryset, text)

    def decorate(self, rows: list[GroupRecord]) -> list[GroupRecord]:
        """The rows, each with the record of its body."""
        bodies = groups.bodies(rows)
        for row in rows:
            row.body = bodies.get((row.project, row.body_id))  # type: ignore[attr-defined]
        return rows

    @admin.display(description="group")
    def shown_id(self, group: GroupRecord) -> str:
        """The short id, leading to the group's page."""
        return self.link(self.url(group), formatting.identifier(group.group_id))

    @admin.display(description="size")
    def shown_size(self, group: GroupRecord) -> str:
        """Members seen."""
        return str(group.size)

    @admin.display(description="body")
    def shown_body(self, group: GroupRecord) -> str:
        """The task that takes the members' results."""
        return formatting.text(group.body_name or formatting.short_id(group.body_id))

    @admin.display(description="body's state")
    def body_state(self, group: Any) -> str:
        """The state of that task."""
        return formatting.badge(group.body.state) if group.body else formatting.text("")

    @admin.display(description="first seen")
    def seen(self, group: GroupRecord) -> str:
        """When the first member was seen."""
        return formatting.moment(group.first_seen)

    def detail(self, request: HttpRequest, record: GroupRecord) -> dict[str, Any]:
        """The context of a group's page; its members are tasks, and want that permission."""
        context: dict[str, Any] = {
            "title": f"{record.kind.capitalize()} of {record.size}",
            "group": record,
            "buttons": trails.group_buttons(self, request, record),
            **trails.group_trail(self, request, record),
        }
        known: dict[str, TaskRecord] = {}
        if self.may_view(request, TaskRecord):
            known = tasks.by_ids(record.project, (record.body_id, record.root_id))
            context |= self._members(record)
        body, root = "", ""
        inner, around = groups.inner(record), groups.around(record)
        if inner is not None:
            body = self._named(inner)
        elif record.body_id:
            body = self.relative(record.body_id, known.get(record.body_id), record.body_name)
        if record.root_id:
            root = self.relative(record.root_id, known.get(record.root_id))
        context["facts"] = facts(
            ("Kind", record.kind),
            ("Size", str(record.size)),
            ("Body", body),
            ("Body of", self._named(around) if around is not None else ""),
            ("Root", root),
            ("First seen", formatting.full_moment(record.first_seen)),
            ("Project", "" if record.project == "default" else record.project),
        )
        return context

    def _named(self, group: GroupRecord) -> str:
        words = f"{group.kind} {formatting.short_id(group.group_id)}"
        return self.link(self.url(group), words)

    def _members(self, group: GroupRecord) -> dict[str, Any]:
        members = groups.members(group)
        return {
            "members": self.task_rows(members.records),
            "counts": [
                {"badge": formatting.badge(state), "count": str(count)}
                for state, count in members.counts
            ],
            "members_limit": str(groups.MEMBERS_LIMIT) if members.more else "",
            "shows_members": True,
        }
