"""What can be done to an operation: stop it, and put back what a purge took."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from z4j_django import operations, permissions, verbs
from z4j_django.admin import forms
from z4j_django.admin.acting import ActingPage, keys
from z4j_django.exceptions import OperationError, Z4JError
from z4j_django.models import Operation
from z4j_django.queries import operations as queries

NO_OPTIONS = forms.form_for()


class _OperationPage(ActingPage):
    """Acts on one operation."""

    operation: Operation | None = None

    def back(self) -> str:
        """The operation."""
        address = self.model_admin.url(self.operation) if self.operation else None
        return str(address or super().back())

    def find(self, object_id: str) -> Operation:
        """The operation, or a refusal."""
        self.operation = queries.find(next(iter(keys([object_id])), None))
        if self.operation is None:
            raise OperationError(_("There is no such operation."))
        return self.operation


class RestorePage(_OperationPage):
    """Puts back what a purge took."""

    def verbs(self) -> tuple[str, ...]:
        """The one."""
        return (verbs.RESTORE.name,)

    def get(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask."""
        return self._ask(self.find(object_id), NO_OPTIONS())

    def post(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put them back."""
        operation = self.find(object_id)
        form = NO_OPTIONS(request.POST)
        form.is_valid()
        try:
            return self.outcome(
                operations.restore(operation.pk, actor=request.user, surface="admin")
            )
        except Z4JError as error:
            form.refuse(error)
            return self._ask(operation, form)

    def _ask(self, operation: Operation, form: forms.OptionsForm) -> HttpResponse:
        if operation.verb != verbs.PURGE_QUEUE.name:
            words = _("Only a purge can be undone; this is: %(operation)s.")
            raise OperationError(words % {"operation": operation})
        return self.shown(
            form,
            title=_("Put back what operation %(number)s purged?") % {"number": operation.pk},
            note=_(
                "Every message that it saved, and that nobody put back yet, is published again "
                "to the queue that it came from."
            ),
            submit=_("Put them back"),
        )


class AbortPage(_OperationPage):
    """Stops an operation; the button on its page is the question."""

    def verbs(self) -> tuple[str, ...]:
        """That of the operation, which is not known yet."""
        return ()

    def get(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Nothing to see here: to the operation."""
        self.find(object_id)
        return HttpResponseRedirect(self.back())

    def post(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Stop it before its next target."""
        operation = self.find(object_id)
        permissions.require(request.user, operation.verb)
        operations.abort(operation.pk, actor=request.user)
        words = _("Operation %(number)s stops before its next target.")
        self.model_admin.message_user(request, words % {"number": operation.pk})
        return HttpResponseRedirect(self.back())
