"""Silences: what nobody is told of for a while; and the pages that make and end one."""

from __future__ import annotations

import glob
from typing import Any, Final

from django import forms as django_forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django import permissions, verbs
from z4j_django.admin import formatting, forms, fragments, links
from z4j_django.admin.acting import VerbPage, keys
from z4j_django.admin.alerts.tabs import TabbedAdmin
from z4j_django.admin.readonly import facts
from z4j_django.admin.trails import Button
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.exceptions import OperationError
from z4j_django.models import AlertSilence, Operation
from z4j_django.models.primary import primary
from z4j_django.operations import alerting

#: Seconds that a silence lasts where nobody says otherwise.
_HOUR: Final = 3_600


def url_for(request: HttpRequest, key: str, subject: str) -> str | None:
    """Where a condition's finding is silenced, for whoever may."""
    verb = verbs.SILENCE_ALERTS.name
    if not permissions.can(request.user, verb):
        return None
    # Within brackets each character means itself.
    query = {"condition": key, "subject": glob.escape(subject) if subject else "*"}
    return links.with_query(links.page_url(request, "alertsilence", verb), query)


class _SilencingPage(VerbPage):
    """Does a verb, and leads back to the list, where it is seen."""

    def back(self) -> str:
        """The list."""
        return self.model_admin.list_url(AlertSilence) or super().back()

    def outcome(self, *done: Operation) -> HttpResponse:
        """To the list; the first page says it, too."""
        fragments.forget()
        self.tell(*done)
        return HttpResponseRedirect(self.back())


class SilencePage(_SilencingPage):
    """Has nobody told of something for a while."""

    verb = verbs.SILENCE_ALERTS

    def choose(self) -> None:
        """What it is about the form says."""

    def form(self, data: Any = None) -> forms.OptionsForm:
        """Of what, and the options."""
        form = super().form(data)
        asked = self.request.GET
        condition = django_forms.ChoiceField(
            label=_("Condition"),
            choices=[
                (alerting.ALL, _("all of them")),
                *((key, _(one.title)) for key, one in CONDITIONS.items()),
            ],
        )
        rest = form.fields
        form.fields = {
            "condition": condition,
            **{name: rest[name] for name in ("subject", "until", "reason") if name in rest},
        }
        form.initial.update(
            condition=asked.get("condition", alerting.ALL),
            subject=asked.get("subject", "*"),
            until=_HOUR,
        )
        return form

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Silence it."""
        return [self.perform(form.cleaned_data["condition"], form.options())]

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """What will come of it."""
        return self.shown(
            form,
            title=_("Silence an alert?"),
            note=_(self.verb.about),
            submit=_("Silence it"),
        )


class EndPage(_SilencingPage):
    """Ends a silence before its time."""

    verb = verbs.END_SILENCE

    def choose(self) -> None:
        """The silence of the address."""
        wanted = keys([self.kwargs["object_id"]])
        self.records = list(primary(AlertSilence).filter(pk__in=wanted))
        if not self.records:
            raise OperationError(_("This silence is not on record."))

    def form(self, data: Any = None) -> forms.OptionsForm:
        """A form without fields."""
        return forms.form_for()(data)

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """End it."""
        one = self.records[0]
        return [self.perform(str(one.pk), {}, project=one.project)]

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """What it is."""
        return self.shown(
            form,
            title=_("End this silence?"),
            note=f"{self.records[0]}. {_(self.verb.about)}",
            submit=_("End it"),
        )


class HoldsFilter(admin.SimpleListFilter):
    """Silences that hold, and those that are over."""

    title = gettext_lazy("holds")
    parameter_name = "holds"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Yes and no."""
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those that do, or do not."""
        holds = Q(ended_at=None, until__gt=timezone.now())
        if self.value() == "yes":
            return queryset.filter(holds)
        return queryset.exclude(holds) if self.value() == "no" else queryset


@admin.register(AlertSilence)
class SilenceAdmin(TabbedAdmin):
    """Every silence, the newest first."""

    list_display = (
        "shown_state",
        "shown_what",
        "shown_by",
        "began",
        "shown_until",
        "shown_held",
        "shown_reason",
    )
    list_display_links = None
    list_filter = (HoldsFilter,)
    detail_template = "admin/z4j_django/alerts/silence.html"

    def get_urls(self) -> list[Any]:
        """With the pages that make and end one."""
        own = [
            self.page("silence/", verbs.SILENCE_ALERTS.name, SilencePage),
            self.page("<str:object_id>/end/", verbs.END_SILENCE.name, EndPage),
        ]
        return [*own, *super().get_urls()]

    def beside(self, request: HttpRequest) -> dict[str, Any]:
        """The button that makes one."""
        verb = verbs.SILENCE_ALERTS
        if not permissions.can(request.user, verb.name):
            return {}
        return {"buttons": [Button(f"{_(verb.label)}…", self.page_url(verb.name))]}

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, row: AlertSilence) -> str:
        """Whether it holds."""
        return _state(row)

    @admin.display(description=gettext_lazy("of"))
    def shown_what(self, row: AlertSilence) -> str:
        """What nobody is told of, leading to the whole."""
        shown = self.link(self.url(row), _what(row))
        return formatting.stacked(shown, formatting.text(row.subject))

    @admin.display(description=gettext_lazy("by"))
    def shown_by(self, row: AlertSilence) -> str:
        """Who."""
        return formatting.text(row.created_by)

    @admin.display(description=gettext_lazy("since"))
    def began(self, row: AlertSilence) -> str:
        """Since when."""
        return formatting.moment(row.since)

    @admin.display(description=gettext_lazy("until"))
    def shown_until(self, row: AlertSilence) -> str:
        """Until when."""
        return formatting.moment(row.ended_at or row.until)

    @admin.display(description=gettext_lazy("held back"))
    def shown_held(self, row: AlertSilence) -> str:
        """How much."""
        return formatting.count(row.held_count)

    @admin.display(description=gettext_lazy("reason"))
    def shown_reason(self, row: AlertSilence) -> str:
        """Why."""
        return formatting.text(row.reason)

    def detail(self, request: HttpRequest, record: AlertSilence) -> dict[str, Any]:
        """The context of a silence's page."""
        verb = verbs.END_SILENCE
        may = permissions.can(request.user, verb.name) and _holds(record)
        return {
            "title": str(record),
            "badge": _state(record),
            "buttons": [Button(f"{_(verb.label)}…", self.page_url(verb.name, record.pk))]
            if may
            else [],
            "facts": facts(
                (_("Condition"), _what(record)),
                (_("Of"), formatting.plain(record.subject)),
                (_("By"), formatting.plain(record.created_by)),
                (_("Reason"), formatting.plain(record.reason) if record.reason else ""),
                (_("Since"), formatting.full_moment(record.since)),
                (_("Until"), formatting.full_moment(record.until)),
                (_("Ended"), formatting.full_moment(record.ended_at) if record.ended_at else ""),
                (_("Ended by"), formatting.plain(record.ended_by) if record.ended_by else ""),
                (_("Held back"), formatting.count(record.held_count)),
                (_("Project"), "" if record.project == "default" else record.project),
            ),
        }


def _holds(row: AlertSilence) -> bool:
    return row.ended_at is None and row.until > timezone.now()


def _state(row: AlertSilence) -> SafeString:
    if _holds(row):
        return formatting.pill(_("holds"), colour="started")
    return formatting.pill(_("over"), colour="offline")


def _what(row: AlertSilence) -> SafeString:
    if not row.condition:
        return formatting.plain(_("all conditions"))
    condition = CONDITIONS.get(row.condition)
    return formatting.plain(_(condition.title) if condition else row.condition)
