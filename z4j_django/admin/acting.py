"""What the pages share that do something: the permission, the confirmation, the way to the outcome.

A page asks on GET and acts on POST. It asks ``permissions.can`` for its verbs, as the button
that leads to it did, and as the operation will do once more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.admin import helpers
from django.contrib.admin.options import IS_POPUP_VAR
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from z4j_django import operations, permissions, verbs
from z4j_django.admin import formatting, forms
from z4j_django.admin.pages import Page
from z4j_django.admin.readonly import ReadOnlyAdmin
from z4j_django.exceptions import OperationError, Z4JError
from z4j_django.models import Operation

#: Rows that one request may choose by hand.
CHOSEN_LIMIT = 100

_KEY = re.compile(r"[0-9]{1,19}", re.ASCII)


def keys(values: Sequence[str]) -> list[int]:
    """Those of ``values`` that can be primary keys, each once, in their order."""
    found = (int(value) for value in values if _KEY.fullmatch(value))
    return list(dict.fromkeys(key for key in found if key < 2**63))


def chosen(request: HttpRequest) -> list[str]:
    """The ids of what a page was asked to act on, each once.

    Raises:
        OperationError: If they are too many.
    """
    given = request.GET.getlist("id")
    if len(given) > CHOSEN_LIMIT:
        words = _("At most %(limit)s can be chosen by hand.")
        raise OperationError(words % {"limit": CHOSEN_LIMIT})
    return list(dict.fromkeys(given))


class Action(NamedTuple):
    """A line of the list's menu, and the page that it leads to."""

    name: str
    description: str
    page: str
    verb: str


def _to_page(page: str) -> Callable[..., HttpResponse]:
    return lambda model_admin, request, queryset: model_admin.to_page(request, page)


class ActingAdmin(ReadOnlyAdmin):
    """A list of which rows can be chosen, and pages that act on them."""

    actions: Any = ()
    actions_on_top = True

    def action_checkbox(self, obj: Any) -> SafeString:
        """As Django's own, but without a template for each row, a third of the page's time."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">',
            helpers.ACTION_CHECKBOX_NAME,
            str(obj.pk),
            _("Select %(task)s") % {"task": obj},
        )

    def offered(self) -> Iterable[Action]:
        """What may be done to the rows that are chosen."""
        return ()

    def get_actions(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Only what this page offers to this user: a project's own actions change rows."""
        if IS_POPUP_VAR in request.GET:  # where a row is only looked for
            return {}
        return {
            one.name: (_to_page(one.page), one.name, one.description)
            for one in self.offered()
            if permissions.can(request.user, one.verb)
        }

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with a button for each action."""
        actions = self.get_actions(request).values()
        offered = [{"name": name, "label": label} for _page, name, label in actions]
        return super().changelist_view(request, {"offered": offered, **(extra_context or {})})

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Hand the chosen rows of this page to the action, and never all that the filter finds."""
        post = request.POST.copy()
        post.pop("select_across", None)
        selected = keys(post.getlist(helpers.ACTION_CHECKBOX_NAME))
        post.setlist(helpers.ACTION_CHECKBOX_NAME, [str(key) for key in selected])
        request.POST = post  # type: ignore[assignment]
        return super().response_action(request, queryset, *args, **kwargs)

    def to_page(self, request: HttpRequest, page: str) -> HttpResponse:
        """To a page that asks before it acts on the chosen rows."""
        selected = request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)
        address = self.page_url(page) or ""
        return HttpResponseRedirect(f"{address}?{urlencode({'id': selected}, doseq=True)}")


class ActingPage(Page):
    """A page that says what will happen, and does it once that is confirmed.

    Attributes:
        records: What it acts on, where that is on record.
    """

    http_method_names = ("get", "head", "post")  # type: ignore[assignment]
    template_name = "admin/z4j_django/confirm.html"
    records: Sequence[Any] = ()

    def verbs(self) -> Sequence[str]:
        """The verbs of which this page wants the permission."""
        raise NotImplementedError

    def back(self) -> str:
        """Where to go where there is nothing to show: the record, where it is one."""
        if len(self.records) == 1 and (address := self.model_admin.url(self.records[0])):
            return str(address)
        return self.model_admin.list_url(self.model_admin.model) or reverse("admin:index")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """See to the permission first; a refusal leads back, with its reason."""
        for verb in self.verbs():
            permissions.require(request.user, verb)
        try:
            answer = super().dispatch(request, *args, **kwargs)
            add_never_cache_headers(answer)
            return answer
        except Z4JError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(self.back())

    def shown(self, form: forms.OptionsForm, **context: Any) -> HttpResponse:
        """The page with its form."""
        whole = self.whole(form=form, back=self.back(), **context)
        return TemplateResponse(self.request, self.template_name, whole)

    def tell(self, *done: Operation) -> None:
        """Say above the next page what came of it."""
        for operation in done:
            level, words = told(operation)
            messages.add_message(self.request, level, words)

    def outcome(self, *done: Operation) -> HttpResponse:
        """To the page of the operation; where there are several, to their list."""
        self.tell(*done)
        site = self.model_admin.admin_site
        if not self.model_admin.may_view(self.request, Operation):
            return HttpResponseRedirect(self.back())
        try:
            if len(done) == 1:
                name, args = "change", [done[0].pk]
            else:
                name, args = "changelist", []
            address = reverse(
                f"admin:z4j_django_operation_{name}", args=args, current_app=site.name
            )
        except NoReverseMatch:
            address = self.back()
        return HttpResponseRedirect(address)


class VerbPage(ActingPage):
    """Does one verb, with the options that are given, to what an address names.

    Attributes:
        verb: What it does.
    """

    verb = verbs.RETRY

    def verbs(self) -> Sequence[str]:
        """The one."""
        return (self.verb.name,)

    def choose(self) -> None:
        """Find out from the address what to act on, or refuse it."""
        raise NotImplementedError

    def form(self, data: Any = None) -> forms.OptionsForm:
        """The form of the options."""
        return forms.form_for(self.verb.options)(data)

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """The page."""
        raise NotImplementedError

    def act(self, form: forms.OptionsForm) -> Sequence[Operation]:
        """Do it; nothing where it was refused, and ``form`` says why."""
        raise NotImplementedError

    def perform(self, target: Any, options: Mapping[str, Any], **how: Any) -> Operation:
        """Do the verb to ``target``; ``how`` may name its project."""
        how |= {"actor": self.request.user, "surface": "admin"}
        return operations.perform(self.verb.name, target, options, **how)

    def see_to_one_project(self) -> None:
        """Refuse records of several: an operation is of one."""
        projects = sorted({one.project for one in self.records})
        if len(projects) > 1:
            self.records = ()
            words = _("They belong to several projects: %(projects)s. Choose of one.")
            raise OperationError(words % {"projects": ", ".join(projects)})

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Ask."""
        self.choose()
        return self.ask(self.form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Act."""
        self.choose()
        form = self.form(request.POST)
        try:
            done = self.act(form) if form.is_valid() else ()
        except Z4JError as error:
            form.refuse(error)
            done = ()
        return self.outcome(*done) if done else self.ask(form)


def told(operation: Operation) -> tuple[int, str]:
    """What came of an operation, as a message with its level."""
    shown = formatting.verb(operation.verb)
    if operation.verb == verbs.SKIP_NEXT_RUN.name and operation.finished_at is None:
        return messages.INFO, _("%(operation)s: beat carries it out.") % {"operation": shown}
    if operation.finished_at is None:
        words = _("%(operation)s: a worker carries it out, %(total)s in all.")
        total = formatting.count(operation.total)
        return messages.INFO, words % {"operation": shown, "total": total}
    counts = (
        (operation.done, ngettext("%(count)s done", "%(count)s done", operation.done)),
        (operation.refused, ngettext("%(count)s refused", "%(count)s refused", operation.refused)),
        (operation.failed, ngettext("%(count)s failed", "%(count)s failed", operation.failed)),
        (operation.unknown, ngettext("%(count)s unknown", "%(count)s unknown", operation.unknown)),
    )
    told = (words % {"count": formatting.count(count)} for count, words in counts if count)
    words = ", ".join(told) or _("nothing done")
    wrong = operation.refused + operation.failed + operation.unknown
    level = messages.WARNING if wrong else messages.SUCCESS
    if wrong and not operation.done:
        level = messages.ERROR
    return level, f"{shown}: {words}."
