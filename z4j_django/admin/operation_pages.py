"""What can be done to an operation: stop it, and put back what a purge or move took."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from z4j_django import operations, permissions, verbs
from z4j_django.admin import forms
from z4j_django.admin.acting import ActingPage, VerbPage, keys
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation
from z4j_django.operations import restoring
from z4j_django.queries import operations as queries


class RestorePage(VerbPage):
    """Puts back what a purge or move took."""

    verb = verbs.RESTORE

    def choose(self) -> None:
        """The purge or move of the address."""
        self.records = [operation := _found(self.kwargs["object_id"])]
        if operation.verb not in restoring.UNDONE:
            words = _("Only a purge or move can be undone; this is: %(operation)s.")
            raise OperationError(words % {"operation": operation})

    def form(self, data: Any = None) -> forms.OptionsForm:
        """A form without fields: which operation is what the page is about."""
        return forms.form_for()(data)

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Put them back."""
        return [self.perform(None, {"operation": self.records[0].pk})]

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """What will come of it."""
        return self.shown(
            form,
            title=_("Put back what operation %(number)s took?") % {"number": self.records[0].pk},
            note=_(
                "Every message that it saved, and that nobody put back yet, is published again "
                "to the queue that it came from. What a move put into another queue is taken out "
                "there before; what a worker has taken meanwhile is not."
            ),
            submit=_("Put them back"),
        )


class AbortPage(ActingPage):
    """Stops an operation; the button on its page is the question."""

    def verbs(self) -> tuple[str, ...]:
        """That of the operation, which is not known yet."""
        return ()

    def get(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Nothing to see here: to the operation."""
        self.records = [_found(object_id)]
        return HttpResponseRedirect(self.back())

    def post(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Stop it before its next target."""
        self.records = [operation := _found(object_id)]
        permissions.require(request.user, operation.verb)
        operations.abort(operation.pk, actor=request.user)
        words = _("Operation %(number)s stops before its next target.")
        self.model_admin.message_user(request, words % {"number": operation.pk})
        return HttpResponseRedirect(self.back())


def _found(object_id: str) -> Operation:
    operation = queries.find(next(iter(keys([object_id])), None))
    if operation is None:
        raise OperationError(_("There is no such operation."))
    return operation
