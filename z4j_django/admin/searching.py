"""The search box: what it offers while one types, answered from indexes alone."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.generic import View

from z4j_django.queries.filter.suggestions import suggest


class SuggestView(View):
    """How a filter may go on; reads ``q``, the text, and ``at``, the place of the cursor."""

    http_method_names = ("get", "head")
    model_admin: Any = None

    def get(self, request: HttpRequest) -> HttpResponse:
        """The suggestions, as JSON."""
        if not self.model_admin.has_view_permission(request):
            raise PermissionDenied
        text, at = request.GET.get("q", ""), request.GET.get("at", "")
        is_place = at.isascii() and at.isdigit() and len(at) < 6
        found = suggest(text, int(at) if is_place else len(text))
        shown = [
            {"text": one.text, "at": one.position, "shown": one.shown, "help": one.help}
            for one in found
        ]
        return JsonResponse({"suggestions": shown})
