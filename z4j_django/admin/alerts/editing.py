"""What the pages of rules and of channels share: their lists, and the pages that change one."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms as django_forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, router, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from z4j_django import logs, permissions
from z4j_django.admin import formatting, forms, fragments
from z4j_django.admin.acting import ActingPage, keys
from z4j_django.admin.alerts.tabs import tabs
from z4j_django.admin.readonly import ReadOnlyAdmin
from z4j_django.alerts import rules
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError
from z4j_django.models import AlertChannel, AlertRule
from z4j_django.models.primary import primary

logger = logs.logger("z4j_django.admin")

#: What of ``verbs.BESIDES`` wants the permission to change them.
MANAGE: Final = "alerts"


class DeclaredAdmin(ReadOnlyAdmin):
    """Rules or channels: those of the settings to look at, those of the database to change."""

    list_template: ClassVar[str]
    add_page: ClassVar[type[EditPage]]
    change_page: ClassVar[type[EditPage]]
    delete_page: ClassVar[type[EditPage]]

    def get_urls(self) -> list[Any]:
        """The pages that add, change and delete one, in the place of Django's own."""
        own = [
            self.page("add/", "add", self.add_page),
            self.page("<str:object_id>/change/", "change", self.change_page),
            self.page("<str:object_id>/delete/", "delete", self.delete_page),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """All of them: there are few."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        may = permissions.can(request.user, MANAGE)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": capfirst(self.opts.verbose_name_plural),
            "is_popup": False,
            "tabs": tabs(self, request),
            "add_url": self.page_url("add") if may else None,
            **self.listed(request, may=may),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.list_template, context)

    def listed(self, request: HttpRequest, *, may: bool) -> dict[str, Any]:
        """The context of the list; ``may`` is whether the user may change them."""
        raise NotImplementedError

    def name_of(self, name: str, key: int | None, *, may: bool) -> SafeString:
        """A name, which leads to the page that changes it where somebody may."""
        url = self.page_url("change", key) if may and key is not None else None
        return self.link(url, formatting.text(name))


class EditPage(ActingPage):
    """Adds or changes one, by a form. What is posted may be secret: no report of an error has it.

    Attributes:
        done: What is said once it is.
    """

    template_name = "admin/z4j_django/alerts/edit.html"

    @method_decorator(sensitive_post_parameters())
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """As ever."""
        return super().dispatch(request, *args, **kwargs)

    def verbs(self) -> tuple[str, ...]:
        """To manage alerts."""
        return (MANAGE,)

    def back(self) -> str:
        """The list."""
        return self.model_admin.list_url(self.model_admin.model) or reverse("admin:index")

    def row(self) -> Any:
        """The one of the address, or a new one."""
        model = self.model_admin.model
        if "object_id" not in self.kwargs:
            by = permissions.name_of(self.request.user)
            return model(project=settings.PROJECT, created_by=by)
        mine = primary(model).filter(project=settings.PROJECT)
        found = mine.filter(pk__in=keys([self.kwargs["object_id"]])).first()
        if found is None:
            raise OperationError(_("It is not on record any more."))
        return found

    def form(self, row: Any, data: Any = None) -> forms.OptionsForm:
        """The form of a row."""
        raise NotImplementedError

    def write(self, row: Any, form: Any) -> None:
        """Write what was given down in the row, which is not stored yet."""
        raise NotImplementedError

    def ask(self, row: Any, form: Any) -> HttpResponse:
        """The page with its form."""
        raise NotImplementedError

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Ask."""
        row = self.row()
        return self.ask(row, self.form(row))

    @method_decorator(sensitive_variables())
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Store it, or say what is wrong, each thing beside its field."""
        row = self.row()
        form = self.form(row, request.POST)
        if not form.is_valid():
            return self.ask(row, form)
        is_new = row.pk is None
        self.write(row, form)
        for name, reason in self.faults(row).items():
            form.add_error(self.field_of(form, name), reason)
        if form.errors or not self._stored(row, form):
            return self.ask(row, form)
        changed = [str(form.fields[name].label) for name in form.changed_data]
        told = [{"added": {}}] if is_new else [{"changed": {"fields": changed}}]
        self.note(row, ADDITION if is_new else CHANGE, told)
        words = _("%(name)s is stored.") if is_new else _("%(name)s is changed.")
        return self.leave(words % {"name": row.name})

    def faults(self, row: Any) -> dict[str, str]:
        """What is wrong with a row, by its fields."""
        found = rules.faults_of(row)
        mine = primary(type(row)).filter(project=row.project)
        if mine.filter(name=row.name).exclude(pk=row.pk).exists():
            found["name"] = _("There is one of this name already.")
        elif row.pk is None and mine.count() >= rules.LIMIT:
            words = _("At most %(limit)d can be stored; delete one first.")
            found["name"] = words % {"limit": rules.LIMIT}
        return found

    def field_of(self, form: Any, name: str) -> str | None:
        """The field that shows what is wrong with something; None: the form as a whole."""
        return name if name in form.fields else None

    def _stored(self, row: Any, form: Any) -> bool:
        try:
            with transaction.atomic(using=router.db_for_write(type(row))):
                row.save()
        except IntegrityError:  # somebody else was quicker
            form.add_error("name", _("There is one of this name already."))
            return False
        return True

    def note(self, row: Any, flag: int, told: Any) -> None:
        """Add it to Django's own log of the admin, which says no values; it breaks nothing."""
        try:
            with transaction.atomic(using=router.db_for_write(LogEntry)):
                by: Any = self.request.user.pk
                LogEntry.objects.log_actions(
                    by, [row], flag, change_message=told, single_object=True
                )
        except Exception:
            logger.exception("%s: it is not in the admin's log.", row)

    def leave(self, words: str) -> HttpResponse:
        """To the list, which says what was done."""
        fragments.forget()
        messages.success(self.request, words)
        return HttpResponseRedirect(self.back())


class DeletePage(EditPage):
    """Deletes one, once that is confirmed."""

    def form(self, row: Any, data: Any = None) -> forms.OptionsForm:
        """A form without fields."""
        return forms.form_for()(data)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Delete it."""
        row = self.row()
        self.note(row, DELETION, "")
        row.delete()
        return self.leave(_("%(name)s is deleted.") % {"name": row.name})

    def ask(self, row: Any, form: Any) -> HttpResponse:
        """What will not be told any more."""
        return self.shown(
            form,
            title=_("Delete %(name)s?") % {"name": row.name},
            note=self.warning(row),
            submit=_("Delete it"),
            dangerous=True,
        )

    def warning(self, row: Any) -> str:
        """What comes of it."""
        raise NotImplementedError


class Lines(django_forms.CharField):
    """Texts, each on a line of its own."""

    widget = django_forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        """As they are typed."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        """The texts."""
        text = super().clean(value)
        return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def name_field(row: AlertChannel | AlertRule) -> django_forms.Field:
    """The field of a name, which stays for good."""
    given: Any = row._meta.get_field("name").formfield(label=_("Name"))
    given.widget.attrs["autocomplete"] = "off"
    if row.pk is not None:
        given.disabled, given.initial = True, row.name
    found: django_forms.Field = given
    return found


def enabled_field(row: AlertChannel | AlertRule) -> django_forms.Field:
    """The field that says whether it is made use of."""
    return django_forms.BooleanField(label=_("Switched on"), required=False, initial=row.is_enabled)
