"""Run groups and chords again: all of them, what failed, or the body alone."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from z4j_django import verbs
from z4j_django.admin import formatting, forms
from z4j_django.admin.acting import VerbPage, chosen, keys
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError, Z4JError
from z4j_django.models import GroupRecord, Operation, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.operations import groups as planning
from z4j_django.queries import groups, tasks
from z4j_django.values import is_storable

NOTES = {
    "all": gettext_lazy("Every member runs again, and with the new results a chord's body does."),
    "failed": gettext_lazy(
        "What failed or never ran runs again; what succeeded stands. A chord's body gets "
        "all the results in order, those that stand taken from the result backend."
    ),
    "body": gettext_lazy(
        "No member runs again. The chord's body runs with the results that are stored."
    ),
}

#: Of the members that run again, the line of the list's menu.
ACTIONS = {
    "all": gettext_lazy("Retry all of selected groups…"),
    "failed": gettext_lazy("Retry what failed of selected groups…"),
    "body": gettext_lazy("Run bodies of selected chords again…"),
}

STANDS = gettext_lazy("Its result stands, and is replayed.")

TITLES = {
    "all": gettext_lazy("Retry all of %(what)s?"),
    "failed": gettext_lazy("Retry what failed of %(what)s?"),
    "body": gettext_lazy("Run the body again of %(what)s?"),
}


class GroupPage(VerbPage):
    """Runs some groups again."""

    template_name = "admin/z4j_django/confirm_group.html"
    verb = verbs.RETRY_GROUP
    members = "all"
    records: tuple[GroupRecord, ...] = ()

    def choose(self) -> None:
        """Those that are on record; one by its own id, where a page knows no more of it."""
        rows = primary(GroupRecord)
        if group_id := self.request.GET.get("group", ""):
            is_text = is_storable(group_id)
            found = rows.filter(project=settings.PROJECT, group_id=group_id if is_text else "")
        else:
            found = rows.filter(pk__in=keys(chosen(self.request)))
        self.records = tuple(found.order_by("id"))
        if not self.records:
            raise OperationError(_("None of these groups is on record."))

    def form(self, data: Any = None) -> forms.OptionsForm:
        """The form without the members: which of them is what the page is about."""
        return forms.form_for(self.verb.options, without=("members",))(data)

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Act on one after the other; a group that is refused as a whole keeps none back."""
        options = {**form.options(), "members": self.members}
        done: list[Operation] = []
        refusals: list[str] = []
        for record in self.records:
            try:
                done.append(self.perform(record.group_id, options, project=record.project))
            except Z4JError as error:
                kind = _(record.kind.capitalize())
                refusals.append(f"{kind} {record.group_id}: {error}")
        for refusal in refusals:
            if done:
                messages.error(self.request, refusal)
            else:
                form.add_error(None, refusal)
        return done

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """What will become of each, or of the one's members."""
        many = len(self.records) > 1
        first = self.records[0]
        count = len(self.records)
        several = ngettext("%(count)s group", "%(count)s groups", count) % {"count": count}
        noun = several if many else formatting.kind(first)
        options = form.options() if form.is_bound and form.is_valid() else {}
        return self.shown(
            form,
            title=TITLES[self.members] % {"what": noun},
            note=NOTES[self.members],
            submit=_("Run them again") if many else _("Run it again"),
            groups=self.model_admin.chosen_rows(self.records),
            **({} if many else self._plan(first, options)),
        )

    def _plan(self, group: GroupRecord, options: dict[str, Any]) -> dict[str, Any]:
        """What will become of each task that is published, as the operation itself plans it."""
        try:
            given = {**options, "members": self.members}
            plan = planning.preview(group.group_id, given, project=group.project, surface="admin")
        except Z4JError as error:
            return {"refusal": str(error)}
        context = {"again": len(plan.runs), "stand": len(plan.replays), "has_body": plan.body_id}
        if not self.model_admin.may_view(self.request, TaskRecord):
            return context
        shown = list(plan.targets.items())[: groups.MEMBERS_LIMIT]
        known = tasks.by_ids(group.project, [task_id for task_id, _ in shown])
        stand = set(plan.replays)
        return context | {
            "plan": [
                {
                    "task": self.model_admin.relative(task_id, known.get(task_id)),
                    "words": STANDS if task_id in stand else f"{_('Runs again.')} {note}".strip(),
                }
                for task_id, note in shown
            ],
            "limit": str(len(shown)) if len(shown) < len(plan.targets) else "",
        }
