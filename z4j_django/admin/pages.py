"""Pages of ours that are no list and no record: under any site, with parts that refresh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.views.generic import View

from z4j_django.admin import fragments
from z4j_django.admin.fragments import Part


class Page(View):
    """A page that a model's admin has among its own; see ``ReadOnlyAdmin.page``.

    Attributes:
        model_admin: Whose page it is: it knows the site, and who may see it.
        template_name: Extends ``admin/z4j_django/page.html``.
        place: The name of the page in the navigation; by default the one of its model.
    """

    http_method_names = ("get", "head")
    model_admin: Any = None
    template_name = "admin/z4j_django/page.html"
    place = ""

    def may_see(self, request: HttpRequest) -> bool:
        """Whether the user may see the page."""
        return bool(self.model_admin.has_view_permission(request))

    def parts(self) -> Mapping[str, Part]:
        """The parts that refresh by themselves, by their names; ``{{ parts.name }}`` shows one."""
        return {}

    def context(self) -> dict[str, Any]:
        """What else the template shows: at least a ``title``."""
        return {}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """See to the permission first."""
        request.current_app = self.model_admin.admin_site.name
        if not self.may_see(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page, or one of its parts."""
        parts = self.parts()
        found = fragments.answer(request, parts)
        if found is not None:
            return found
        still = not any(part.every for part in parts.values())
        shown = {"parts": fragments.whole(request, parts), "still": still, **self.context()}
        return TemplateResponse(request, self.template_name, self.whole(**shown))

    def whole(self, **context: Any) -> dict[str, Any]:
        """A context with what the site's own templates ask for."""
        return {
            **self.model_admin.admin_site.each_context(self.request),
            "opts": self.model_admin.opts,
            "list_url": self.model_admin.list_url(self.model_admin.model),
            "is_popup": False,
            "place": self.place,
            **context,
        }
