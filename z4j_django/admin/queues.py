"""Queues: how deep each is, and to purge one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse

from z4j_django import operations, permissions, verbs
from z4j_django.admin import forms
from z4j_django.admin.acting import ActingPage
from z4j_django.control import queue_depths
from z4j_django.exceptions import OperationError, Z4JError
from z4j_django.models import TaskRecord
from z4j_django.queries import queues
from z4j_django.values import SHORT

#: Seconds that one page waits for the broker; queues that are left are not counted.
TIMEOUT = queue_depths.TIMEOUT

FORM = forms.form_for(verbs.PURGE_QUEUE.options)


class QueuesPage(ActingPage):
    """The queues on record, with the messages that wait in each."""

    template_name = "admin/z4j_django/queues.html"
    http_method_names = ("get", "head")  # type: ignore[assignment]

    def verbs(self) -> tuple[str, ...]:
        """To look, none is wanted."""
        return ()

    def get(self, request: HttpRequest) -> HttpResponse:
        """The list."""
        return self.shown(
            forms.form_for()(),
            title="Queues",
            may_purge=permissions.can(request.user, "purge_queue"),
            purge_url=self.model_admin.page_url("purge"),
            queues=list(self._rows()),
        )

    def _rows(self) -> Iterator[dict[str, Any]]:
        names = queues.names(queues.LIMIT)
        for name, depth in queue_depths.count_many(names, TIMEOUT).items():
            yield {
                "name": name,
                "depth": "unknown" if depth is None else f"{depth:,}",
                "tasks_url": self.model_admin.list_url(TaskRecord, queue=name),
                "purge_url": self.model_admin.page_url("purge", queue=name),
            }


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
            raise OperationError("That is no name of a queue.")

    def _ask(self, form: forms.OptionsForm) -> HttpResponse:
        depth = queue_depths.count(self.queue, TIMEOUT)
        return self.shown(
            form,
            title="Purge a queue?",
            queue=self.queue,
            depth=None if depth is None else f"{depth:,}",
            submit="Purge it",
            dangerous=True,
        )
