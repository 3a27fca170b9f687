"""Retry, cancel and terminate: the tasks that were chosen, or one with other arguments."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from z4j_django import operations, verbs
from z4j_django.admin import forms
from z4j_django.admin.acting import ActingPage, chosen, keys
from z4j_django.admin.forecasts import Forecast, forecast
from z4j_django.exceptions import OperationError, Z4JError
from z4j_django.models import TaskRecord
from z4j_django.models.primary import primary
from z4j_django.queries import tasks


class TaskPage(ActingPage):
    """Does one verb to some tasks."""

    verb = verbs.RETRY
    records: tuple[TaskRecord, ...] = ()

    def verbs(self) -> tuple[str, ...]:
        """The one."""
        return (self.verb.name,)

    def back(self) -> str:
        """The task, where it is one."""
        if len(self.records) == 1 and (address := self.model_admin.url(self.records[0])):
            return str(address)
        return super().back()

    def get(self, request: HttpRequest) -> HttpResponse:
        """Ask."""
        self._choose(request)
        return self._ask(forms.form_for(self.verb.options)())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Act."""
        self._choose(request)
        form = forms.form_for(self.verb.options)(request.POST)
        if not form.is_valid():
            return self._ask(form)
        try:
            operation = operations.perform(
                self.verb.name,
                [record.task_id for record in self.records],
                form.options(),
                actor=request.user,
                project=self.records[0].project,
                surface="admin",
            )
        except Z4JError as error:
            form.refuse(error)
            return self._ask(form)
        return self.outcome(operation)

    def _choose(self, request: HttpRequest) -> None:
        wanted = chosen(request)
        found = tasks.summaries(primary(TaskRecord).filter(pk__in=wanted))
        # Those that came first are published first.
        self.records = tuple(found.order_by("id"))
        if not self.records:
            raise OperationError(_("None of these tasks is on record."))
        missing = len(wanted) - len(self.records)
        if missing and request.method == "GET":
            words = ngettext(
                "%(count)s of them is no longer on record.",
                "%(count)s of them are no longer on record.",
                missing,
            )
            messages.warning(request, words % {"count": missing})
        projects = sorted({record.project for record in self.records})
        if len(projects) > 1:
            self.records = ()
            raise OperationError(
                _("These tasks belong to several projects: %(projects)s. Choose of one.")
                % {"projects": ", ".join(projects)}
            )

    def _ask(self, form: forms.OptionsForm) -> HttpResponse:
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


class EditPage(ActingPage):
    """Retries one task with other arguments."""

    template_name = "admin/z4j_django/edit.html"
    record: TaskRecord | None = None

    def verbs(self) -> tuple[str, ...]:
        """A retry, whatever is edited."""
        return (verbs.RETRY.name,)

    def back(self) -> str:
        """The task."""
        address = self.model_admin.url(self.record) if self.record else None
        return str(address or super().back())

    def get(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the form with what is known of the arguments."""
        return self._ask(_edited(self._find(object_id)))

    def post(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Retry it."""
        record = self._find(object_id)
        form = _edited(record, request.POST)
        if not form.is_valid():
            return self._ask(form)
        try:
            # What can be told now is told here, where it can be corrected.
            [expected] = forecast(verbs.RETRY, [record], form.options())
            if expected.refused:
                raise OperationError(expected.words)
            operation = operations.perform(
                verbs.RETRY.name,
                [record.task_id],
                form.options(),
                actor=request.user,
                project=record.project,
                surface="admin",
            )
        except Z4JError as error:
            form.refuse(error)
            return self._ask(form)
        return self.outcome(operation)

    def _find(self, object_id: str) -> TaskRecord:
        wanted = keys([object_id])
        self.record = primary(TaskRecord).filter(pk__in=wanted).first()
        if self.record is None:
            raise Http404(_("There is no such task on record."))
        return self.record

    def _ask(self, form: forms.OptionsForm) -> HttpResponse:
        assert self.record is not None  # noqa: S101 - found before
        context: dict[str, Any] = {
            "title": _("Edit and retry %(what)s") % {"what": self.record.name or _("the task")},
            "task": self.record,
            "forecasts": self.model_admin.forecast_rows(forecast(verbs.RETRY, [self.record], {})),
            "submit": _("Retry with these"),
        }
        return self.shown(form, **context)


def _edited(record: TaskRecord, data: Any = None) -> forms.OptionsForm:
    shown = {"args": record.args, "kwargs": record.kwargs}
    return forms.edit_form(verbs.RETRY.options, shown, data)
