"""Filters that people gave names: one's own, and those that are for everybody."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django import permissions
from z4j_django.admin import formatting
from z4j_django.admin.readonly import ReadOnlyAdmin
from z4j_django.exceptions import FilterError
from z4j_django.models import SavedView, TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import saved_views as queries
from z4j_django.queries.filter import corrections

#: The views that everybody has.
BUILT_IN = (
    (gettext_lazy("Failed today"), "state:FAILURE sent:<24h"),
    (gettext_lazy("Running"), "state:STARTED"),
    (gettext_lazy("Running long"), "is:long"),
    (gettext_lazy("Possibly lost"), "is:lost"),
    (gettext_lazy("Waiting"), "state:PENDING,RECEIVED,RETRY"),
)

_SHARE = f"{permissions.APP_LABEL}.{permissions.SHARE_VIEWS}"


class SavedViewForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A name and a filter that can be read."""

    owner = ""

    class Meta:  # noqa: D106
        model = SavedView
        fields = ("name", "filter", "shared")

    def clean_filter(self) -> str:
        """The filter as it is written out, or what is wrong with it."""
        text = str(self.cleaned_data["filter"])
        try:
            found = filters.parse(text)
        except FilterError as error:
            meant = corrections.of_mistake(text)
            near = " " + _("Did you mean %(filter)s?") % {"filter": meant} if meant else ""
            raise ValidationError(f"{error}{near}") from None
        # Ages stand as they were typed: "the last hour" is meant anew each time.
        return str(found)

    def clean_name(self) -> str:
        """A name that the owner has no other view of."""
        name = str(self.cleaned_data["name"])
        mine = SavedView.objects.filter(owner=self.instance.owner or self.owner, name=name)
        if mine.exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("There is a view of this name already."))
        if self.instance.pk is None and queries.is_full(self.owner):
            raise ValidationError(
                _("At most %(limit)d views can be saved; delete one first.")
                % {"limit": queries.LIMIT}
            )
        return name


@admin.register(SavedView)
class SavedViewAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Each user's own, to change; and those that are shared."""

    form = SavedViewForm
    list_display = ("name", "shown_filter", "owner_name", "shared")
    show_full_result_count = False
    actions = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        """For all who see tasks."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: SavedView | None = None) -> bool:
        """Who sees tasks sees what he saved, and what is shared."""
        may = permissions.can_view(request.user, "taskrecord")
        return may and (obj is None or obj.shared or _is_own(request, obj))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who sees tasks may save a view of his own."""
        return permissions.can_view(request.user, "taskrecord")

    def has_change_permission(self, request: HttpRequest, obj: SavedView | None = None) -> bool:
        """One's own; and what is shared, for those who may share."""
        if not self.has_view_permission(request, obj):
            return False
        return obj is None or _is_own(request, obj) or may_share(request)

    def has_delete_permission(self, request: HttpRequest, obj: SavedView | None = None) -> bool:
        """As it may be changed."""
        return self.has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SavedView]:
        """What is private is its owner's, whoever else asks."""
        return queries.seen_by(permissions.key_of(request.user))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The list, with what it lists above it."""
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Sharing is for those who may."""
        return () if may_share(request) else ("shared",)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The form, which knows whose views it is about."""
        made = super().get_form(request, obj, change, **kwargs)
        return type("Form", (made,), {"owner": permissions.key_of(request.user)})

    def save_model(self, request: HttpRequest, obj: SavedView, form: Any, change: bool) -> None:
        """A new one is the user's."""
        if not change:
            obj.owner = permissions.key_of(request.user)
            obj.owner_name = permissions.name_of(request.user)
        super().save_model(request, obj, form, change)

    def response_post_save_add(self, request: HttpRequest, obj: SavedView) -> HttpResponseRedirect:
        """To the list that it shows."""
        return HttpResponseRedirect(address(obj, self.admin_site.name))

    @admin.display(description=gettext_lazy("filter"))
    def shown_filter(self, view: SavedView) -> SafeString:
        """The filter, leading to the list that it shows."""
        link = address(view, self.admin_site.name)
        return format_html('<a href="{}">{}</a>', link, formatting.text(view.filter))


def links(admin: ReadOnlyAdmin, request: HttpRequest) -> dict[str, Any]:
    """What stands above the list of tasks: the views that everybody has, and those saved."""
    if not admin.may_view(request, SavedView):
        return {}
    here = request.GET.get("q", "").strip()
    saved = queries.listed(permissions.key_of(request.user))
    shown = [*BUILT_IN, *((view.name, view.filter) for view in saved)]
    return {
        "links": [
            {
                "name": name,
                "filter": text,
                "url": admin.list_url(TaskRecord, q=text),
                "is_current": here == text,
            }
            for name, text in shown
        ],
        "save_url": admin.page_of(SavedView, page="add"),
        "edit_url": admin.list_url(SavedView) if saved else None,
    }


def may_share(request: HttpRequest) -> bool:
    """Whether this user may show everybody what he saved."""
    user: Any = request.user
    return bool(user.is_active and user.has_perm(_SHARE))


def address(view: SavedView, site: str) -> str:
    """The list of tasks under a view."""
    tasks = reverse("admin:z4j_django_taskrecord_changelist", current_app=site)
    return f"{tasks}?{urlencode({'q': view.filter})}"


def _is_own(request: HttpRequest, view: SavedView) -> bool:
    key = permissions.key_of(request.user)
    return bool(key) and view.owner == key
