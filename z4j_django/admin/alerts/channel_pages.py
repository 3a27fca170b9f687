"""Channels: the list, a form for each kind, and the page that tries one."""

from __future__ import annotations

from typing import Any

from django import forms as django_forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from msgspec import UNSET

from z4j_django import permissions, verbs
from z4j_django.admin import formatting, forms
from z4j_django.admin.acting import VerbPage, told
from z4j_django.admin.alerts import delivery_pages, editing
from z4j_django.alerts import rules
from z4j_django.alerts import told as deliveries
from z4j_django.alerts.channels import base, registry
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError, SealError
from z4j_django.models import AlertChannel, AlertDelivery, Operation
from z4j_django.models.primary import primary
from z4j_django.secrets import sealing

#: What the field is called that takes a secret away.
_WITHOUT = "without_{}"


@sensitive_variables()
def secrets_of(row: AlertChannel) -> dict[str, Any]:
    """The secret options of a channel; none of them where they can't be opened."""
    if not row.sealed:
        return {}
    context = sealing.channel_context(row.project, row.name)
    try:
        found: dict[str, Any] = sealing.open_json(bytes(row.sealed), context)
    except SealError:
        return {}
    return found


def form_of(
    kind: base.Kind, row: AlertChannel, known: frozenset[str], data: Any
) -> forms.OptionsForm:
    """The form of a channel.

    Args:
        kind: Its kind.
        row: It, be it new.
        known: The secret options that are on record: they can be written over, and are not shown.
        data: What was posted.
    """
    form = forms.form_for(kind.options, once=True)(data)
    initial = {}
    for name, one in form.declared.items():
        field = form.fields[one.argument]
        if isinstance(field, django_forms.CharField):
            field.strip = True
        if one.secret:
            attrs = {"autocomplete": "new-password", "spellcheck": "false"}
            field.widget = django_forms.PasswordInput(attrs=attrs)
            if name in known:
                field.required = False
                words = _("It is set; leave empty to keep it.")
                field.help_text = f"{field.help_text} {words}"
                if not one.required:
                    label = _("%(secret)s: take it away") % {"secret": field.label}
                    form.fields[_WITHOUT.format(one.argument)] = django_forms.BooleanField(
                        label=label, required=False
                    )
        elif name in row.options:
            initial[one.argument] = row.options[name]
        elif one.default is not UNSET:
            initial[one.argument] = one.default
    form.initial.update(initial)
    form.fields |= {"name": editing.name_field(row), "is_enabled": editing.enabled_field(row)}
    beside = ((one.argument, _WITHOUT.format(one.argument)) for one in form.declared.values())
    form.order_fields(["name", *(name for names in beside for name in names), "is_enabled"])
    return form


class ChannelEditPage(editing.EditPage):
    """Adds or changes a channel."""

    def kind(self, row: AlertChannel) -> base.Kind | None:
        """Its kind; that of a new one the address names."""
        return registry.KINDS.get(row.kind or self.request.GET.get("kind", ""))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Ask; of what kind a new one is first."""
        row = self.row()
        if self.kind(row) is None:
            if row.pk is not None:
                raise OperationError(_("There is no such kind of channels here."))
            return self._ask_for_kind()
        return self.ask(row, self.form(row))

    @method_decorator(sensitive_variables())
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Store it, where its kind is known."""
        if self.kind(self.row()) is None:
            raise OperationError(_("There is no such kind of channels here."))
        return super().post(request, *args, **kwargs)

    def _ask_for_kind(self) -> HttpResponse:
        address = self.model_admin.page_url
        kinds = [
            {
                "title": one.title,
                "about": formatting.prose(_(one.about)),
                "url": address("add", kind=one.key),
            }
            for one in registry.KINDS.values()
        ]
        context = self.whole(title=_("Add a channel"), kinds=kinds, back=self.back())
        return TemplateResponse(self.request, "admin/z4j_django/alerts/kinds.html", context)

    @method_decorator(sensitive_variables())
    def form(self, row: AlertChannel, data: Any = None) -> forms.OptionsForm:
        """The form of its kind."""
        kind = self.kind(row)
        assert kind is not None  # noqa: S101  # whoever comes here has asked
        return form_of(kind, row, frozenset(secrets_of(row)), data)

    @method_decorator(sensitive_variables())
    def write(self, row: AlertChannel, form: Any) -> None:
        """The options, and the secret ones sealed."""
        kind = self.kind(row)
        known, given = secrets_of(row), form.cleaned_data
        row.kind = kind.key if kind is not None else ""
        row.name, row.is_enabled = given["name"], given["is_enabled"]
        shown: dict[str, Any] = {}
        kept: dict[str, Any] = {}
        is_moved = _is_moved({**row.options, **known}.get("url"), given.get("url"))
        for name, one in form.declared.items():
            value = given.get(one.argument)
            if one.secret and value in (None, "") and not given.get(_WITHOUT.format(one.argument)):
                value = known.get(name)
                if is_moved and value and name != "url":
                    form.add_error(one.argument, _("Enter it anew: the URL leads elsewhere."))
            if value is not None and value != "":
                (kept if one.secret else shown)[name] = value
        row.options, row.sealed = shown, rules.seal_secrets(row.project, row.name, kept)

    @method_decorator(sensitive_variables())
    def faults(self, row: AlertChannel) -> dict[str, str]:
        """Each beside the option that it is of."""
        found = super().faults(row)
        found.pop("options", None)
        return {**rules.channel_faults(row.kind, {**row.options, **secrets_of(row)}), **found}

    def field_of(self, form: Any, name: str) -> str | None:
        """That of the option."""
        if name in form.declared:
            return str(form.declared[name].argument)
        return super().field_of(form, name)

    def ask(self, row: AlertChannel, form: Any) -> HttpResponse:
        """The form, below what its kind is."""
        kind = self.kind(row)
        title, about = (
            (kind.title, formatting.prose(_(kind.about))) if kind is not None else ("", "")
        )
        words = _("Add a channel: %(kind)s") if row.pk is None else _("Channel %(name)s: %(kind)s")
        private = settings.ALERTS.PRIVATE_TARGETS
        return self.shown(
            form,
            title=words % {"kind": title, "name": row.name},
            note=about,
            beside=""
            if private
            else _(
                "Addresses of this host and of private networks are refused, unless "
                "Z4J['ALERTS']['PRIVATE_TARGETS'] is on."
            ),
            groups=[{"title": "", "fields": list(form)}],
            delete_url=self.model_admin.page_url("delete", row.pk) if row.pk else None,
            submit=_("Store it"),
        )


class ChannelDeletePage(editing.DeletePage):
    """Deletes a channel."""

    def warning(self, row: AlertChannel) -> str:
        """Which rules name it."""
        named = [one.name for one in rules.rules(row.project) if row.name in one.channels]
        if not named:
            return _("Nobody is told by it any more. What was told stays on record.")
        words = _("These rules name it, and tell nobody by it any more: %(rules)s.")
        return words % {"rules": ", ".join(named)}


class TryPage(VerbPage):
    """Sends a test message to a channel, be it one of the settings."""

    verb = verbs.TEST_CHANNEL
    name = ""

    def back(self) -> str:
        """The list."""
        return self.model_admin.list_url(AlertChannel) or super().back()

    def choose(self) -> None:
        """The channel of the address."""
        self.name = self.request.GET.get("channel", "")
        if all(one.name != self.name for one in rules.channels(settings.PROJECT)):
            raise OperationError(_("There is no such channel."))

    def form(self, data: Any = None) -> forms.OptionsForm:
        """A form without fields."""
        return forms.form_for()(data)

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """What is sent."""
        title = _("Send a test message to %(channel)s?") % {"channel": self.name}
        return self.shown(form, title=title, note=_(self.verb.about), submit=_("Send it"))

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Send it."""
        return [self.perform(self.name, {})]

    def outcome(self, *done: Operation) -> HttpResponse:
        """To what is on record of it, with what the channel said."""
        target = done[0].targets.first()
        level, words = told(done[0])
        said = f" {target.reason}" if target is not None and target.reason else ""
        messages.add_message(self.request, level, f"{words}{said}")
        row = _tried(self.name)
        url = self.model_admin.url(row) if row is not None else None
        may = self.model_admin.may_view(self.request, AlertDelivery)
        return HttpResponseRedirect(url if url and may else self.back())


@admin.register(AlertChannel)
class ChannelAdmin(editing.DeclaredAdmin):
    """Every channel."""

    list_template = "admin/z4j_django/alerts/channels.html"
    add_page = change_page = ChannelEditPage
    delete_page = ChannelDeletePage

    def get_urls(self) -> list[Any]:
        """With the page that tries one."""
        own = [self.page("test/", verbs.TEST_CHANNEL.name, TryPage)]
        return [*own, *super().get_urls()]

    def listed(self, request: HttpRequest, *, may: bool) -> dict[str, Any]:
        """Where each leads, and what came of its newest message."""
        project = settings.PROJECT
        keys = dict(primary(AlertChannel).filter(project=project).values_list("name", "pk"))
        newest = deliveries.newest_by_channel(project)
        sees = self.may_view(request, AlertDelivery)
        tries = permissions.can(request.user, verbs.TEST_CHANNEL.name)
        return {
            "rows": [
                {
                    "name": self.name_of(
                        one.name, None if one.source == "settings" else keys.get(one.name), may=may
                    ),
                    "kind": _kind(one),
                    "place": _place(one),
                    "source": one.source,
                    "is_enabled": one.is_enabled,
                    "newest": self._newest(newest.get(one.name)) if sees else "",
                    "test": formatting.act(
                        self.page_url(verbs.TEST_CHANNEL.name, channel=one.name) or "",
                        f"{_(verbs.TEST_CHANNEL.label)}…",
                        one.name,
                    )
                    if tries
                    else "",
                }
                for one in rules.channels(project)
            ]
        }

    def _newest(self, row: AlertDelivery | None) -> SafeString | str:
        if row is None:
            return ""
        shown = self.link(self.url(row), delivery_pages.badge(row.state))
        return formatting.joined(shown, formatting.moment(row.finished_at or row.created_at))


def _is_moved(old: str | None, new: str | None) -> bool:
    """Whether another server than the one that was told them would learn the secrets that are kept.

    Whoever may change a channel may not read them, be it by a test of it.
    """
    return bool(old and new) and _server(str(old)) != _server(str(new))


def _server(url: str) -> list[str]:
    """Scheme and authority, be the URL wrong."""
    return url.lower().split("/", 3)[:3]


def _kind(channel: rules.Channel) -> str:
    kind = registry.KINDS.get(channel.kind)
    return kind.title if kind is not None else channel.kind


def _place(channel: rules.Channel) -> SafeString:
    """Where it leads, without a secret; or why nobody knows."""
    found = deliveries.reached(channel, settings.PROJECT)
    return formatting.mark(_(found.fault)) if found.fault else formatting.text(found.place)


def _tried(name: str) -> AlertDelivery | None:
    """The newest test of a channel."""
    tests = primary(AlertDelivery).filter(
        project=settings.PROJECT, channel=name, status=AlertDelivery.Status.TEST
    )
    return tests.order_by("-id").first()
