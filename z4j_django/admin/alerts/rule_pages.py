"""Rules: of what whom is told; the list, and their form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from django import forms as django_forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from msgspec import UNSET

from z4j_django import permissions
from z4j_django.admin import formatting, forms
from z4j_django.admin.alerts import editing
from z4j_django.alerts import rules
from z4j_django.alerts import told as deliveries
from z4j_django.alerts.rule_options import RuleOptions
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conf import settings
from z4j_django.models import AlertChannel, AlertRule
from z4j_django.models.primary import primary

#: The parts of the form, with their fields.
_PARTS: Final = (
    (gettext_lazy("Of what"), ("name", "conditions", "severity", "subjects")),
    (gettext_lazy("Whom, and when"), ("channels", "after", "repeat")),
    (
        gettext_lazy("Quiet hours"),
        ("quiet_from", "quiet_until", "quiet_zone", "quiet_critical"),
    ),
    (
        gettext_lazy("What it does besides"),
        (
            *("verb", "verb_options", "is_dry_run", "hourly_limit", "breaker_limit"),
            "start_again",
        ),
    ),
    ("", ("is_enabled",)),
)


def form_of(row: AlertRule, mine: frozenset[str], data: Any) -> forms.OptionsForm:
    """The form of a rule.

    Args:
        row: It, be it new.
        mine: What whoever writes it may do by hand.
        data: What was posted.
    """
    form = forms.form_for(RuleOptions)(data)
    fields = form.fields
    keys = [(key, _(one.title)) for key, one in CONDITIONS.items()]
    fields["conditions"] = _choices(fields["conditions"], _known(keys, row.conditions))
    names = [(one.name, one.name) for one in rules.channels(row.project)]
    fields["channels"] = _choices(fields["channels"], _known(names, row.channels))
    subjects = fields["subjects"]
    fields["subjects"] = editing.Lines(
        label=subjects.label,
        help_text=f"{subjects.help_text} {_('One on a line.')}",
        required=False,
        max_length=20_000,
        widget=django_forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    doable = [("", _("nothing"))]
    doable += [(name, formatting.verb(name)) for name in sorted(rules.ABLE) if name in mine]
    verb = fields["verb"]
    fields["verb"] = django_forms.ChoiceField(
        choices=_known(doable, [row.verb] if row.verb else []),
        label=verb.label,
        help_text=verb.help_text,
        required=False,
    )
    fields["name"], fields["is_enabled"] = editing.name_field(row), editing.enabled_field(row)
    if row.stopped_at is not None:
        fields["start_again"] = django_forms.BooleanField(
            label=_("Let it act again"), required=False
        )
    form.initial.update({name: getattr(row, name) for name in form.declared})
    form.initial["verb_options"] = json.dumps(row.verb_options) if row.verb_options else ""
    return form


class RuleEditPage(editing.EditPage):
    """Adds or changes a rule."""

    def form(self, row: AlertRule, data: Any = None) -> forms.OptionsForm:
        """Its form."""
        return form_of(row, permissions.verbs_of(self.request.user), data)

    def faults(self, row: AlertRule) -> dict[str, str]:
        """And that nobody has a rule do what he may not."""
        found = super().faults(row)
        if row.verb in rules.ABLE and not permissions.can(self.request.user, row.verb):
            found["verb"] = _("You may not do this by hand, so you can't have a rule do it.")
        return found

    def write(self, row: AlertRule, form: Any) -> None:
        """What was given, and what counts without."""
        given = form.cleaned_data
        row.name, row.is_enabled = given["name"], given["is_enabled"]
        for name, one in form.declared.items():
            value = given.get(name)
            if value is None:
                value = _without(name, one.default)
            setattr(row, name, value)
        if given.get("start_again"):
            row.stopped_at, row.stopped_why = None, ""

    def ask(self, row: AlertRule, form: Any) -> HttpResponse:
        """The form, in its parts."""
        words = _("Add a rule") if row.pk is None else _("Rule %(name)s")
        stopped = ""
        if row.stopped_at is not None:
            stopped = _("It acts no more since %(at)s: %(why)s") % {
                "at": formatting.precise(row.stopped_at),
                "why": row.stopped_why,
            }
        return self.shown(
            form,
            title=words % {"name": row.name},
            beside=stopped,
            groups=[
                {"title": title, "fields": [form[name] for name in names if name in form.fields]}
                for title, names in _PARTS
            ],
            automation=""
            if settings.ALERTS.AUTOMATION
            else _("Rules do nothing by themselves here: Z4J['ALERTS']['AUTOMATION'] is off."),
            delete_url=self.model_admin.page_url("delete", row.pk) if row.pk else None,
            submit=_("Store it"),
        )


class RuleDeletePage(editing.DeletePage):
    """Deletes a rule."""

    def warning(self, row: AlertRule) -> str:
        """That what it told is not forgotten."""
        return _("Nobody is told by it any more. What was told stays on record.")


@admin.register(AlertRule)
class RuleAdmin(editing.DeclaredAdmin):
    """Every rule."""

    list_template = "admin/z4j_django/alerts/rules.html"
    add_page = change_page = RuleEditPage
    delete_page = RuleDeletePage

    def listed(self, request: HttpRequest, *, may: bool) -> dict[str, Any]:
        """Each in words; those of the database that can't be, too."""
        project = settings.PROJECT
        stored = {one.name: one for one in primary(AlertRule).filter(project=project)}
        found = rules.rules(project)
        shown = {one.name for one in found if one.source == "database"}
        rows = [
            {
                "name": self.name_of(
                    one.name,
                    stored[one.name].pk if one.source == "database" else None,
                    may=may,
                ),
                "source": one.source,
                "is_enabled": one.is_enabled,
                **in_words(one),
            }
            for one in found
        ]
        wrong = [
            {
                "name": self.name_of(name, one.pk, may=may),
                "wrong": " ".join(rules.faults_of(one).values()),
                "is_enabled": True,
            }
            for name, one in sorted(stored.items())
            if name not in shown
        ]
        sees = self.may_view(request, AlertChannel)
        return {
            "rows": [*rows, *wrong],
            "nobody": not deliveries.has_channel(project),
            "channels_url": self.page_of(AlertChannel, page="add") if sees and may else None,
        }


def in_words(rule: rules.Rule) -> dict[str, Any]:
    """A rule as a list shows it."""
    automation = rule.automation
    return {
        "conditions": formatting.joined(*_conditions(rule)),
        "subjects": formatting.joined(*(formatting.text(one) for one in rule.subjects)),
        "channels": formatting.joined(*(formatting.text(one) for one in rule.channels))
        or _("all channels"),
        "when": ", ".join(_when(rule)),
        "does": "" if automation is None else _automation(automation),
    }


def _conditions(rule: rules.Rule) -> Iterator[SafeString]:
    severity = _("critical only") if rule.severity == "critical" else _("warnings, too")
    if not rule.conditions:
        yield formatting.plain(_("everything"))
    for key in rule.conditions:
        yield formatting.pill(
            _(CONDITIONS[key].title) if key in CONDITIONS else key, colour="plain"
        )
    yield formatting.mark(severity)


def _when(rule: rules.Rule) -> Iterator[str]:
    yield _("after %(span)s") % {"span": formatting.span(rule.after)}
    if rule.repeat is None:
        span = formatting.span(rules.REPEAT)
        yield _("critical ones again after %(span)s") % {"span": span}
    elif rule.repeat:
        yield _("again after %(span)s") % {"span": formatting.span(rule.repeat)}
    else:
        yield _("once")
    if (quiet := rule.quiet) is not None:
        words = _("quiet from %(begin)s to %(end)s %(zone)s")
        if quiet.holds_critical:
            words = _("quiet from %(begin)s to %(end)s %(zone)s, also for what is critical")
        given = {"begin": f"{quiet.begin:%H:%M}", "end": f"{quiet.end:%H:%M}", "zone": quiet.zone}
        yield (words % given).strip()


def _automation(found: rules.Automation) -> str:
    words = formatting.verb(found.verb)
    if found.is_dry_run:
        words = _("%(verb)s, only on paper") % {"verb": words}
    often = ngettext(
        "%(count)s time an hour at most", "%(count)s times an hour at most", found.hourly_limit
    )
    told = f"{words}, {often % {'count': formatting.count(found.hourly_limit)}}"
    if found.stopped_at is not None:
        return _("%(what)s; stopped: it did not help") % {"what": told}
    return told


def _choices(field: django_forms.Field, choices: list[tuple[str, str]]) -> django_forms.Field:
    """A field where any number of things is checked, in the place of one for a list."""
    return django_forms.MultipleChoiceField(
        choices=choices,
        label=field.label,
        help_text=field.help_text,
        required=False,
        widget=django_forms.CheckboxSelectMultiple,
    )


def _known(choices: list[tuple[str, str]], chosen: Any) -> list[tuple[str, str]]:
    """The choices, and what is on record though it is none any more."""
    known = {value for value, _label in choices}
    strange = [one for one in chosen if isinstance(one, str) and one not in known]
    return [*choices, *((one, _("%(name)s (there is none)") % {"name": one}) for one in strange)]


def _without(name: str, default: Any) -> Any:
    """What a column holds where nothing is given."""
    if default is not UNSET:
        return default
    if name == "repeat":
        return None
    return {} if name == "verb_options" else ""
