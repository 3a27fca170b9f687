"""The search box: what it offers while one types, answered from indexes alone."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from z4j_django.admin.pages import Page
from z4j_django.queries.filter.suggestions import suggest
from z4j_django.values import whole_number

#: Seconds for which a browser need not ask again.
_FRESH_FOR: Final = 10


class SuggestPage(Page):
    """How a filter may go on; reads ``q``, the text, and ``at``, the place of the cursor."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The suggestions, as JSON."""
        text, at = request.GET.get("q", ""), request.GET.get("at", "")
        place = whole_number(at, 5)
        found = suggest(text, len(text) if place is None else place)
        shown = [
            {"text": one.text, "at": one.position, "shown": one.shown, "help": _(one.help)}
            for one in found
        ]
        answer = JsonResponse({"suggestions": shown})
        patch_cache_control(answer, private=True, max_age=_FRESH_FOR)
        return answer
