"""The list of groups: how far each is, and a filter by that."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from z4j_django import states
from z4j_django.admin import formatting
from z4j_django.admin.changelist import KeysetChangeList
from z4j_django.models import TaskRecord
from z4j_django.queries import groups, pages
from z4j_django.queries.cursors import Cursor
from z4j_django.queries.pages import Page

#: Groups that a page looks through for those that stand in some way.
LOOKED_THROUGH = 100

#: The words for how a group stands, and the task's state whose colour each has.
STANDING = {
    "failed": (_("failed"), states.FAILURE),
    "running": (_("running"), states.STARTED),
    "waiting": (_("waiting"), states.PENDING),
    "succeeded": (_("succeeded"), states.SUCCESS),
}
#: What is said of one of which something failed that was run again since, and ended well.
MENDED = _("retried well")


class StandingFilter(admin.SimpleListFilter):
    """How far a group is; the list itself does the filtering."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The words, for those who may see the members."""
        if not model_admin.may_view(request, TaskRecord):
            return []
        return [(word, shown) for word, (shown, _colour) in STANDING.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """All of them: no column says how a group stands."""
        return queryset


class GroupChangeList(KeysetChangeList):
    """Pages of groups; under a filter, those of the next few groups that stand so."""

    def standing(self) -> str:
        """The word that is chosen; empty for all."""
        for spec in self.filter_specs:
            if isinstance(spec, StandingFilter) and spec.lookup_choices:
                chosen = spec.value()
                return chosen if chosen in STANDING else ""
        return ""

    def page(self, cursor: Cursor) -> Page[Any]:
        """The page at a place; how far the groups are is only known once they are read."""
        word = self.standing()
        if not word:
            return super().page(cursor)
        found = pages.read(self._rest, cursor, LOOKED_THROUGH, self._ranges)
        progress = groups.progress(found.rows)
        rows = []
        for row in found.rows:
            row.progress = progress[row.pk]
            if row.progress.word == word:
                rows.append(row)
        more = found.following is not None or found.preceding is not None
        return Page(rows, found.following, found.preceding, len(found.rows) if more else None)


def pill(progress: groups.Progress) -> SafeString:
    """How a group stands, in a word."""
    word, state = STANDING[progress.word]
    return formatting.pill(str(word), colour=state.lower())
