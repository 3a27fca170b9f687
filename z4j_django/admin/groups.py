"""Groups and chords, with their members in order."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django import permissions, states, verbs
from z4j_django.admin import (
    formatting,
    fragments,
    group_list,
    trails,
    workflow_pages,
    workflow_views,
)
from z4j_django.admin.acting import ActingAdmin, Action
from z4j_django.admin.fragments import Part
from z4j_django.admin.group_list import GroupChangeList, StandingFilter
from z4j_django.admin.group_pages import ACTIONS, GroupPage
from z4j_django.admin.readonly import facts
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import groups, steps, tasks
from z4j_django.queries.index_ranges import IndexRange


@admin.register(GroupRecord)
class GroupAdmin(ActingAdmin):
    """Every group and chord, newest first."""

    list_display = (
        "shown_state",
        "shown_group",
        "shown_progress",
        "shown_body",
    )
    list_display_links = None
    list_filter = (StandingFilter,)
    search_fields = ("group_id", "body_id")
    search_help_text = gettext_lazy(
        "Searches group ids (whole, or their beginning) and whole ids of bodies."
    )
    detail_template = "admin/z4j_django/grouprecord/detail.html"

    def get_urls(self) -> list[Any]:
        """With the pages that run groups again."""
        own = [
            self.page(f"retry/{members}/", f"retry_{members}", GroupPage, members=members)
            for members in ACTIONS
        ]
        own.append(self.page("<str:object_id>/workflow/", "workflow", workflow_pages.WorkflowPage))
        return [*own, *super().get_urls()]

    def offered(self) -> list[Action]:
        """Each way to run groups again."""
        return [
            Action(f"retry_{members}", str(words), f"retry_{members}", verbs.RETRY_GROUP.name)
            for members, words in ACTIONS.items()
        ]

    def chosen_rows(self, chosen: Iterable[GroupRecord]) -> list[dict[str, str]]:
        """Lines for a table of groups."""
        return [
            {
                "link": self.link(self.url(group), formatting.identifier(group.group_id)),
                "kind": group.kind,
                "size": str(group.size),
                "body": self.body_name(group),
                "seen": self.seen(group),
            }
            for group in chosen
        ]

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """What the members and the body say is the tasks' to show."""
        if self.may_view(request, TaskRecord):
            return self.list_display
        return ("shown_id", "kind", "shown_size", "body_name", "seen")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[GroupChangeList]:
        """The list that a word narrows."""
        return GroupChangeList

    def search_ranges(self, queryset: QuerySet[GroupRecord], text: str) -> list[IndexRange]:
        """Ids by their beginnings."""
        return groups.ranges(queryset, text)

    def decorate(self, request: HttpRequest, rows: list[Any]) -> list[Any]:
        """The rows, each with how far it is and the record of its body."""
        bodies = groups.bodies(rows)
        unknown = [row for row in rows if not hasattr(row, "progress")]
        progress = groups.progress(unknown)
        may = permissions.can(request.user, verbs.RETRY_GROUP.name)
        for row in rows:
            row.body = bodies.get((row.project, row.body_id))
            row.progress = progress.get(row.pk) or row.progress
        mended = groups.mended([row for row in rows if row.progress.word == "failed"])
        for row in rows:
            row.mended = row.pk in mended
            failed = may and row.progress.word == "failed" and not row.mended
            row.retry_url = self.page_url("retry_failed", id=row.pk) if failed else None
        return rows

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, group: Any) -> str:
        """How the members stand, all in all; below it, the way to run again what failed."""
        shown = group_list.pill(group.progress)
        if group.mended:
            return formatting.stacked(shown, formatting.mark(str(group_list.MENDED)))
        if not group.retry_url:
            return shown
        what = f"{_(group.kind)} {formatting.short_id(group.group_id)}"
        return formatting.stacked(shown, formatting.act(group.retry_url, _("Retry…"), what))

    @admin.display(description=gettext_lazy("group"))
    def shown_id(self, group: GroupRecord) -> str:
        """The short id, leading to the group's page."""
        return self.link(self.url(group), formatting.identifier(group.group_id))

    @admin.display(description=gettext_lazy("group"))
    def shown_group(self, group: Any) -> str:
        """What it is of, leading to its page, above its short id."""
        words = self.named(group)
        kind = formatting.joined(
            formatting.plain(_(group.kind)), formatting.identifier(group.group_id)
        )
        return formatting.stacked(self.link(self.url(group), words), kind)

    def named(self, group: Any) -> SafeString:
        """``shop.resize x 50``; without members on record, what kind it is."""
        progress = getattr(group, "progress", None)
        if progress is None or not progress.names:
            return formatting.plain(formatting.kind(group))
        first = formatting.name(progress.names[0])
        if len(progress.names) > 1:
            return format_html("{} {}", first, _("and others"))
        return format_html("{} &times;&nbsp;{}", first, f"{progress.size:,}")

    @admin.display(description=gettext_lazy("size"))
    def shown_size(self, group: GroupRecord) -> str:
        """Members seen."""
        return formatting.count(group.size)

    @admin.display(description=gettext_lazy("progress"))
    def shown_progress(self, group: Any) -> str:
        """How many members have ended, above what is not well."""
        progress = group.progress
        whole = progress.size if progress.is_whole else progress.counted
        bar = formatting.progress(progress.done, whole, workflow_views.share(progress.counts))
        wrong = workflow_views.few(progress.counts)
        if not progress.is_whole:
            wrong.append(_("of the first; %s in all") % formatting.count(progress.size))
        return formatting.stacked(bar, formatting.plain(", ".join(wrong))) if wrong else bar

    @admin.display(description=gettext_lazy("body"))
    def shown_body(self, group: Any) -> str:
        """The task that takes the members' results, above its state."""
        name = self.body_name(group)
        if not group.body:
            return name
        return formatting.stacked(name, _body_state(group.body, group.progress.word))

    @admin.display(description=gettext_lazy("body"))
    def body_name(self, group: GroupRecord) -> SafeString:
        """Its name alone."""
        known = group.body_name or formatting.short_id(group.body_id)
        return formatting.name(known) if known else formatting.text("")

    @admin.display(description=gettext_lazy("first seen"))
    def seen(self, group: GroupRecord) -> str:
        """When the first member was seen."""
        return formatting.moment(group.first_seen)

    def parts(self, request: HttpRequest, record: GroupRecord) -> dict[str, Part]:
        """All of it is one part; it goes on changing as long as the group does."""
        shown = cache(partial(self._shown, request, record))
        goes_on = fragments.PART not in request.GET and shown()["goes_on"]
        template = "admin/z4j_django/grouprecord/body.html"
        return {"group": Part(template, shown, 5 if goes_on else 0)}

    def detail(self, request: HttpRequest, record: GroupRecord) -> dict[str, Any]:
        """What stands above the part."""
        return {"title": capfirst(formatting.kind(record)), "group": record}

    def _shown(self, request: HttpRequest, record: GroupRecord) -> dict[str, Any]:
        """The context of a group's page; its members are tasks, and want that permission."""
        context: dict[str, Any] = {
            "goes_on": False,
            "workflow_url": workflow_pages.address(self, request, record),
            "buttons": trails.group_buttons(self, request, record),
            **trails.group_trail(self, request, record),
        }
        known: dict[str, TaskRecord] = {}
        word = ""
        if self.may_view(request, TaskRecord):
            known = tasks.by_ids(record.project, (record.body_id, record.root_id))
            members = groups.members(record)
            progress = groups.Progress(members.counts, record.size, not members.more)
            word = progress.word
            context |= self._members(record, members, progress)
        body, root = "", ""
        inner, around = groups.inner(record), groups.around(record)
        if inner is not None:
            body = self._named(inner)
        elif record.body_id:
            body = self.relative(
                record.body_id,
                known.get(record.body_id),
                record.body_name,
                lambda task: _body_state(task, word),
            )
        if record.root_id:
            root = self.relative(record.root_id, known.get(record.root_id))
        context["facts"] = facts(
            (_("Kind"), _(record.kind)),
            (_("Size"), formatting.count(record.size)),
            (_("Body"), body),
            (_("Body of"), self._named(around) if around is not None else ""),
            (_("Root"), root),
            (_("First seen"), formatting.full_moment(record.first_seen)),
            (_("Project"), "" if record.project == "default" else record.project),
        )
        return context

    def _named(self, group: GroupRecord) -> str:
        words = f"{_(group.kind)} {formatting.short_id(group.group_id)}"
        return self.link(self.url(group), words)

    def _members(
        self, group: GroupRecord, members: groups.Members, progress: groups.Progress
    ) -> dict[str, Any]:
        is_mended = progress.word == "failed" and group.pk in groups.mended([group])
        return {
            "status": str(group_list.MENDED) if is_mended else "",
            "goes_on": any(state in states.UNFINISHED for state, _count in members.counts),
            "progress": formatting.progress(progress.done, progress.size),
            "wrong": ", ".join(workflow_views.few(members.counts)),
            "badge": group_list.pill(progress),
            "members": self.task_rows(members.records),
            "counts": [
                {"badge": formatting.badge(state), "count": str(count)}
                for state, count in members.counts
            ],
            "members_limit": formatting.count(groups.MEMBERS_LIMIT) if members.more else "",
            "shows_members": True,
        }


def _body_state(body: TaskRecord, word: str) -> SafeString:
    """How the body of a chord stands whose members stand as ``word`` says."""
    if body.state == states.PENDING and body.sent_at is None and body.received_at is None:
        # Its message comes with the last member's success.
        return workflow_views.badge(steps.NEVER_SENT if word == "failed" else steps.NOT_SENT)
    return formatting.badge(body.state)
