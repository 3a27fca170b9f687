"""To purge a queue."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from z4j_django import operations, verbs
from z4j_django.admin import forms
from z4j_django.admin.acting import ActingPage
from z4j_django.control import queue_depths
from z4j_django.exceptions import OperationError, Z4JError
from z4j_django.values import SHORT

#: Seconds that the page waits for the broker.
TIMEOUT = queue_depths.TIMEOUT

FORM = forms.form_for(verbs.PURGE_QUEUE.options)


class PurgePage(ActingPage):
    """Empties a queue, once its name was typed back."""

    template_name = "admin/z4j_django/purge.html"
    queue = ""

    def verbs(self) -> tuple[str, ...]:
        """The one."""
        return (verbs.PURGE_QUEUE.name,)

    def back(self) -> str:
        """The queues."""
        return self.model_admin.page_url("queues") or super().back()

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show what would go, and ask for the name."""
        self._choose(request)
        return self._ask(FORM())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Purge it."""
        self._choose(request)
        form = FORM(request.POST)
        if not form.is_valid():
            return self._ask(form)
        try:
            operation = operations.perform(
                verbs.PURGE_QUEUE.name,
                self.queue,
                form.options(),
                actor=request.user,
                surface="admin",
            )
        except Z4JError as error:
            form.refuse(error)
            return self._ask(form)
        return self.outcome(operation)

    def _choose(self, request: HttpRequest) -> None:
        self.queue = request.GET.get("queue", "")
        if not self.queue or len(self.queue) > SHORT or "\0" in self.queue:
            raise OperationError(_("That is no name of a queue."))

    def _ask(self, form: forms.OptionsForm) -> HttpResponse:
        depth = queue_depths.count(self.queue, TIMEOUT)
        return self.shown(
            form,
            title=_("Purge a queue?"),
            queue=self.queue,
            depth=None if depth is None else f"{depth:,}",
            submit=_("Purge it"),
            dangerous=True,
        )
