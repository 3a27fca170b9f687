"""What an operator says of errors, and what the failures of one have in common."""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from z4j_django import verbs
from z4j_django.admin import formatting, forms
from z4j_django.admin.acting import VerbPage, chosen
from z4j_django.admin.fragments import Part
from z4j_django.admin.pages import Page
from z4j_django.exceptions import OperationError
from z4j_django.models import ErrorGroup, Operation, TaskRecord
from z4j_django.queries import commonalities, errors, lookups
from z4j_django.queries.filter import words
from z4j_django.values import of_error_id

#: Failures, and successes, that a page has the time to compare.
SAMPLE: Final = 300
_State = ErrorGroup.State
#: The words of how an error may stand, with the colours of the states that have such.
_PILLS: Final = {
    "new": (gettext_lazy("new"), "failure"),
    "regressed": (gettext_lazy("regressed"), "retry"),
    "open": (gettext_lazy("open"), "pending"),
    "resolved": (gettext_lazy("resolved"), "success"),
    "ignored": (gettext_lazy("ignored"), "ignored"),
}


def standing(error: ErrorGroup) -> str:
    """How an error stands, in one word: that it is new or came back says more than open."""
    if error.state != _State.OPEN:
        return str(error.state)
    if errors.is_regressed(error):
        return "regressed"
    return "new" if errors.is_new(error) else "open"


def pill(error: ErrorGroup) -> SafeString:
    """The same, in its colour."""
    word, colour = _PILLS[standing(error)]
    return formatting.pill(str(word), colour=colour)


def may_be_said(verb: verbs.Verb, error: ErrorGroup) -> bool:
    """Whether a verb would change anything; to ignore may be for longer."""
    pointless = {verbs.RESOLVE_ERRORS.name: _State.RESOLVED, verbs.REOPEN_ERRORS.name: _State.OPEN}
    return bool(pointless.get(verb.name) != error.state)


class ErrorPage(VerbPage):
    """Says something of some errors."""

    template_name = "admin/z4j_django/errorgroup/confirm.html"
    verb = verbs.RESOLVE_ERRORS

    def outcome(self, *done: Operation) -> HttpResponse:
        """Back to where one came from: there is nothing to follow."""
        self.tell(*done)
        return HttpResponseRedirect(self.back())

    def choose(self) -> None:
        """Those that are on record, the newest first."""
        keys = [key for one in chosen(self.request) if (key := of_error_id(one)) is not None]
        rows = ErrorGroup.objects.filter(
            project__in=lookups.projects(ErrorGroup), fingerprint__in=keys
        )
        self.records = list(rows.defer(*errors.HEAVY_FIELDS).order_by("-last_seen", "-id"))
        if not self.records:
            raise OperationError(_("None of these errors is on record."))
        self.see_to_one_project()

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Say it of all of them."""
        ids = [one.error_id for one in self.records]
        return [self.perform(ids, form.options(), project=self.records[0].project)]

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """What they are."""
        count = len(self.records)
        noun = ngettext("%(count)s error", "%(count)s errors", count) % {"count": count}
        return self.shown(
            form,
            title=_("%(verb)s %(what)s?") % {"verb": _(self.verb.label), "what": noun},
            note=_(self.verb.about),
            submit=_("%(verb)s %(what)s") % {"verb": _(self.verb.label), "what": noun},
            errors=[self.model_admin.row(one) for one in self.records],
        )


class CommonPage(Page):
    """What the failures of an error have in common: a part of its page, read when it is wanted.

    Without scripts it is a page of its own.
    """

    template_name = "admin/z4j_django/errorgroup/common_page.html"

    def parts(self) -> dict[str, Part]:
        """The one."""
        error = self._error()
        template = "admin/z4j_django/errorgroup/common.html"
        return {"common": Part(template, lambda: common(self.model_admin, error), every=0)}

    def context(self) -> dict[str, Any]:
        """The way back to the error."""
        error = self._error()
        title = _("In common: %(error)s") % {"error": error}
        return {"title": title, "error": error, "error_url": self.model_admin.url(error)}

    def _error(self) -> ErrorGroup:
        if self._found is None:
            self._found = self.model_admin.get_object(self.request, self.kwargs["object_id"])
        if self._found is None or not self.model_admin.may_view(self.request, TaskRecord):
            raise Http404(_("There is no such error on record."))
        return self._found

    _found: ErrorGroup | None = None


def common(admin: Any, error: ErrorGroup) -> dict[str, Any]:
    """What tells the failures of an error from successes of the same task, with links to them."""
    found = commonalities.of(error, SAMPLE)
    return {
        "facts": [
            {
                "fact": fact,
                "url": _tasks_url(admin, error, fact),
                "failures": formatting.percent(fact.failures),
                "successes": formatting.percent(fact.successes),
            }
            for fact in found.facts
        ],
        "failures": found.failures,
        "successes": found.successes,
        "fewest": commonalities.FEWEST,
    }


def _tasks_url(admin: Any, error: ErrorGroup, fact: commonalities.Fact) -> str | None:
    """The list of its tasks of which a fact holds, where the filter has a term for it."""
    if fact.name not in ("queue", "worker", "release"):
        return None
    term = f"error:{error.error_id} {fact.name}:{words.quote(fact.value)}"
    address: str | None = admin.list_url(TaskRecord, q=term)
    return address
