"""Act on all tasks that a filter of the list finds: a frozen preview, then a confirmation."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.http import urlencode

from z4j_django import operations, permissions
from z4j_django.admin import forms
from z4j_django.admin.acting import ActingPage
from z4j_django.admin.forecasts import forecast
from z4j_django.admin.task_pages import NOTES
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError, Z4JError
from z4j_django.models import TaskRecord
from z4j_django.operations import many
from z4j_django.queries import lookups
from z4j_django.queries.selection import Selection

FORMS: dict[str, type[forms.Options]] = {
    "retry": forms.BulkRetryOptions,
    "cancel": forms.BulkOptions,
    "terminate": forms.BulkTerminateOptions,
}


class BulkPage(ActingPage):
    """Does one verb to all tasks of a selection."""

    template_name = "admin/z4j_django/bulk.html"
    verb = ""
    selection: Selection | None = None

    def verbs(self) -> tuple[str, ...]:
        """Many at once is a permission of its own, beside the verb's."""
        return ("bulk", self.verb)

    def back(self) -> str:
        """The list under the same filter."""
        address = super().back()
        query = urlencode(filters(self.selection)) if self.selection else ""
        return f"{address}?{query}" if query else address

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show how many there are, and some of them."""
        self._select(request.GET)
        return self._ask(FORMS[self.verb]())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Act on what was found when the preview was made."""
        self._select(request.POST)
        form = FORMS[self.verb](request.POST)
        if self._selection.until is None:
            raise OperationError("This has to be previewed first.")
        if not form.is_valid():
            return self._ask(form)
        try:
            operation = operations.bulk(
                self.verb,
                actor=request.user,
                selection=self._selection,
                surface="admin",
                **form.options(),
            )
        except Z4JError as error:
            form.add_error(None, str(error))
            return self._ask(form)
        return self.outcome(operation)

    @property
    def _selection(self) -> Selection:
        assert self.selection is not None  # noqa: S101 - taken from the request before
        return self.selection

    def _select(self, params: Any) -> None:
        project = params.get("project") or settings.PROJECT
        try:
            self.selection = Selection.from_params(params, project)
        except ValueError as error:
            raise OperationError(str(error)) from None
        if self.selection.is_empty:
            raise OperationError("An empty filter would mean every task there is: choose one.")

    def _ask(self, form: forms.Options) -> HttpResponse:
        preview = operations.preview(self._selection)
        self.selection = preview.selection
        return self.shown(
            form,
            title=f"{self.verb.capitalize()} all that match?",
            note=NOTES[self.verb],
            verb=self.verb,
            words=self._selection.describe(),
            project=self._selection.project,
            projects=self._others(lookups.projects(TaskRecord)),
            count=f"{preview.count:,}",
            empty=not preview.count,
            capped=preview.capped,
            inline=preview.count <= many.INLINE,
            sample=self.model_admin.forecast_rows(forecast(self.verb, preview.sample)),
            frozen=self._selection.as_json(),
            choices=self._choices(),
            submit=f"{self.verb.capitalize()} {preview.count:,} tasks",
            dangerous=self.verb == "terminate",
        )

    def _choices(self) -> list[dict[str, Any]]:
        """The verbs that this user may do to many, each leading to its own page."""
        query = filters(self._selection) | {"project": self._selection.project}
        return [
            {
                "label": verb.capitalize(),
                "url": self.model_admin.page_url(f"bulk_{verb}", **query),
                "chosen": verb == self.verb,
            }
            for verb in FORMS
            if permissions.can(self.request.user, verb)
        ]

    def _others(self, projects: list[str]) -> list[dict[str, Any]]:
        """The same filter in other projects, where several share the tables."""
        own = self._selection.project
        query = filters(self._selection)
        page = f"bulk_{self.verb}"
        return [
            {"label": name, "url": self.model_admin.page_url(page, **query, project=name)}
            for name in projects
            if name != own
        ]


def filters(selection: Selection) -> dict[str, str]:
    """The parameters of the list that name the same tasks."""
    given = selection.as_json()
    found = {key: given[key] for key in ("name", "state", "worker", "queue") if key in given}
    return found | ({"q": given["search"]} if "search" in given else {})
