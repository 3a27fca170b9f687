"""Act on all tasks that a filter of the list finds: a frozen preview, then a confirmation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.http import HttpResponse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from z4j_django import operations, permissions, verb_options, verbs
from z4j_django.admin import formatting, forms
from z4j_django.admin.acting import VerbPage
from z4j_django.admin.forecasts import forecast, from_tally
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, TaskRecord
from z4j_django.operations import bulk_operations, tallies
from z4j_django.queries import lookups
from z4j_django.queries.filter import TERMS
from z4j_django.queries.selection import Selection

#: The list's parameters, as the selection takes them.
PARAMETERS = (*(kind.name for kind in TERMS.values() if kind.is_parameter), "q")
#: Tasks that a preview looks through before it says that there are at least as many.
LOOK = 12_000


class BulkPage(VerbPage):
    """Does one verb to all tasks of a selection."""

    template_name = "admin/z4j_django/bulk.html"
    selection: Selection | None = None
    #: The parameters of the list that was to be acted on, whatever they mean.
    query: Mapping[str, str] = MappingProxyType({})

    def verbs(self) -> tuple[str, ...]:
        """Many at once is a permission of its own, beside the verb's."""
        return ("bulk", *super().verbs())

    def back(self) -> str:
        """The list under the same filter."""
        address = super().back()
        return f"{address}?{urlencode(self.query)}" if self.query else address

    def choose(self) -> None:
        """Whatever the filter finds; to act on it, what was found when the preview was made."""
        acts = self.request.method == "POST"
        params = self.request.POST if acts else self.request.GET
        project = params.get("project") or settings.PROJECT
        self.query = {name: params[name] for name in PARAMETERS if params.get(name)}
        try:
            self.selection = Selection.from_params(params, project)
        except ValueError as error:
            raise OperationError(str(error)) from None
        if self.selection.is_empty:
            raise OperationError(_("An empty filter would mean every task there is: choose one."))
        if acts and self.selection.until is None:
            raise OperationError(_("This has to be previewed first."))

    def form(self, data: Any = None) -> forms.OptionsForm:
        """With what may be said of many."""
        return forms.form_for(verb_options.BulkOptions, self.verb.options)(data)

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Act on all of it."""
        operation = operations.bulk(
            self.verb.name,
            actor=self.request.user,
            selection=self._selection,
            surface="admin",
            **form.options(),
        )
        return [operation]

    @property
    def _selection(self) -> Selection:
        assert self.selection is not None  # noqa: S101 - taken from the request before
        return self.selection

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """How many there are, and some of them."""
        context: dict[str, Any] = {
            "title": _("%(verb)s all that match?") % {"verb": _(self.verb.label)},
            "note": _(self.verb.about),
            "verb": self.verb.name,
            "project": self._selection.project,
            "projects": self._others(lookups.projects(TaskRecord)),
            "choices": self._choices(),
            "dangerous": self.verb.dangerous,
        }
        try:
            preview = operations.preview(self._selection, LOOK)
        except OperationError as error:
            refused = {"refusal": str(error), "empty": True, "selection": self._selection}
            return self.shown(form, **context, **refused)
        self.selection = preview.selection
        tally = self._tally(preview, form)
        return self.shown(
            form,
            **context,
            **_frozen(preview.selection),
            matching=_matching(preview),
            looked_through=formatting.count(preview.looked_through),
            is_part=bool(preview.looked_through),
            bulk_limit=formatting.count(settings.BULK_LIMIT),
            most=formatting.count(preview.count),
            empty=not preview.count,
            capped=preview.capped,
            inline=preview.count <= bulk_operations.INLINE,
            sample=self.model_admin.forecast_rows(
                from_tally(self.verb, preview.sample, tally)
                if tally.looked_at
                else forecast(self.verb, preview.sample, {})
            ),
            submit=_("%(verb)s %(what)s")
            % {"verb": _(self.verb.label), "what": _willing(preview, tally)},
            tally=_told(tally),
            tally_is_part=preview.count > tallies.LIMIT or bool(preview.looked_through),
        )

    def _tally(self, preview: bulk_operations.Preview, form: forms.OptionsForm) -> tallies.Tally:
        """How many will be done, and how many refused, by reason."""
        force = form.is_bound and bool(form.cleaned_data.get("force"))
        project = self._selection.project
        return tallies.of_records(self.verb.name, project, preview.looked_at, force=force)

    def _choices(self) -> list[dict[str, Any]]:
        """The verbs that this user may do to many, each leading to its own page."""
        query = {**self.query, "project": self._selection.project}
        return [
            {
                "label": _(verb.label),
                "url": self.model_admin.page_url(f"bulk_{verb.name}", **query),
                "chosen": verb is self.verb,
            }
            for verb in verbs.in_bulk()
            if permissions.can(self.request.user, verb.name)
        ]

    def _others(self, projects: list[str]) -> list[dict[str, Any]]:
        """The same filter in other projects, where several share the tables."""
        own = self._selection.project
        page = f"bulk_{self.verb.name}"
        return [
            {"label": name, "url": self.model_admin.page_url(page, **self.query, project=name)}
            for name in projects
            if name != own
        ]


def _willing(preview: bulk_operations.Preview, tally: tallies.Tally) -> str:
    """How many it will be done to, as far as all of them were looked at."""
    if preview.looked_through:
        return _("at least %(tasks)s") % {"tasks": _tasks(preview.count)}
    if tally.looked_at < preview.count or not tally.reasons:
        return _tasks(preview.count)
    willing = formatting.count(tally.willing)
    return _("%(count)s of %(all)s") % {"count": willing, "all": _tasks(preview.count)}


def _told(tally: tallies.Tally) -> dict[str, Any]:
    """A tally in the reader's language."""
    words = _("%(tasks)s: %(willing)s will be acted on.")
    if tally.reasons:
        words = _("%(tasks)s: %(willing)s will be acted on, %(refused)s refused.")
    counts = {
        "tasks": _tasks(tally.looked_at),
        "willing": formatting.count(tally.willing),
        "refused": formatting.count(len(tally.reasons)),
    }
    refused = tally.refused.most_common()
    return {
        "told": words % counts,
        "words": [f"{formatting.count(count)} {_(reason)}" for reason, count in refused],
    }


def _tasks(count: int) -> str:
    words = ngettext("%(count)s task", "%(count)s tasks", count)
    return words % {"count": formatting.count(count)}


def _matching(preview: bulk_operations.Preview) -> str:
    words = ngettext("%(count)s task matches", "%(count)s tasks match", preview.count)
    if preview.looked_through:
        words = ngettext(
            "At least %(count)s task matches", "At least %(count)s tasks match", preview.count
        )
    return words % {"count": formatting.count(preview.count)}


def _frozen(selection: Selection) -> dict[str, Any]:
    """What of the selection stands on the page, and in its hidden fields."""
    return {
        "selection": selection,
        "text": str(selection.filter()),
        "as_of": formatting.iso_moment(selection.asked_at),
        "frozen": selection.as_json(),
    }
