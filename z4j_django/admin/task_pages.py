"""Retry, cancel and terminate: the tasks that were chosen, or one with other arguments."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from z4j_django.admin import forms
from z4j_django.admin.acting import VerbPage, chosen, keys
from z4j_django.admin.forecasts import Forecast, forecast
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.queries import tasks


class TaskPage(VerbPage):
    """Does one verb to some tasks."""

    records: tuple[TaskRecord, ...] = ()

    def choose(self) -> None:
        """Those that are on record."""
        wanted = keys(chosen(self.request))
        found = tasks.summaries(primary(TaskRecord).filter(pk__in=wanted))
        # Those that came first are published first.
        self.records = tuple(found.order_by("id"))
        if not self.records:
            raise OperationError(_("None of these tasks is on record."))
        missing = len(wanted) - len(self.records)
        if missing and self.request.method == "GET":
            words = ngettext(
                "%(count)s of them is no longer on record.",
                "%(count)s of them are no longer on record.",
                missing,
            )
            messages.warning(self.request, words % {"count": missing})
        self.see_to_one_project()

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Do it to all of them."""
        ids = [record.task_id for record in self.records]
        return [self.perform(ids, form.options(), project=self.records[0].project)]

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """What will become of each."""
        options = form.options() if form.is_bound and form.is_valid() else {}
        forecasts = forecast(self.verb, self.records, options)
        many = len(self.records) > 1
        count = len(self.records)
        several = ngettext("%(count)s task", "%(count)s tasks", count) % {"count": count}
        noun = several if many else self.records[0].name or _("the task")
        submit = _("%(verb)s them") if many else _("%(verb)s it")
        return self.shown(
            form,
            title=_("%(verb)s %(what)s?") % {"verb": _(self.verb.label), "what": noun},
            note=_(self.verb.about),
            verb=self.verb.name,
            submit=submit % {"verb": _(self.verb.label)},
            dangerous=self.verb.dangerous,
            forecasts=self.model_admin.forecast_rows(forecasts),
            tally=tally(forecasts),
        )


def tally(forecasts: list[Forecast]) -> dict[str, int]:
    """How many will be done and how many refused, as far as is known."""
    refused = sum(one.refused for one in forecasts)
    return {"all": len(forecasts), "refused": refused, "willing": len(forecasts) - refused}


class EditPage(TaskPage):
    """Retries one task with other arguments."""

    template_name = "admin/z4j_django/edit.html"

    def choose(self) -> None:
        """The task of the address."""
        self.records = tuple(primary(TaskRecord).filter(pk__in=keys([self.kwargs["object_id"]])))
        if not self.records:
            raise Http404(_("There is no such task on record."))

    def form(self, data: Any = None) -> forms.OptionsForm:
        """The form, with what is known of the arguments."""
        [record] = self.records
        return forms.edit_form(
            self.verb.options, {"args": record.args, "kwargs": record.kwargs}, data
        )

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Retry it."""
        # What can be told now is told here, where it can be corrected.
        [expected] = forecast(self.verb, self.records, form.options())
        if expected.refused:
            raise OperationError(expected.words)
        return super().act(form)

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """What will become of it as it was."""
        [record] = self.records
        return self.shown(
            form,
            title=_("Edit and retry %(what)s") % {"what": record.name or _("the task")},
            task=record,
            forecasts=self.model_admin.forecast_rows(forecast(self.verb, self.records, {})),
            submit=_("Retry with these"),
        )
