"""To purge a queue."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext as _

from z4j_django import verbs
from z4j_django.admin import forms
from z4j_django.admin.acting import VerbPage
from z4j_django.control import queue_depths
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation
from z4j_django.values import is_storable

#: Seconds that the page waits for the broker.
TIMEOUT = queue_depths.TIMEOUT


class PurgePage(VerbPage):
    """Empties a queue, once its name was typed back."""

    template_name = "admin/z4j_django/purge.html"
    verb = verbs.PURGE_QUEUE
    queue = ""

    def back(self) -> str:
        """The queues."""
        return self.model_admin.page_url("queues") or super().back()

    def choose(self) -> None:
        """The queue of this name, whether or not it is on record."""
        self.queue = self.request.GET.get("queue", "")
        if not self.queue or not is_storable(self.queue):
            raise OperationError(_("That is no name of a queue."))

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Purge it."""
        return [self.perform(self.queue, form.options())]

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """How much would go."""
        depth = queue_depths.count(self.queue, TIMEOUT)
        return self.shown(
            form,
            title=_("Purge a queue?"),
            queue=self.queue,
            depth=None if depth is None else f"{depth:,}",
            submit=_("Purge it"),
            dangerous=True,
        )
