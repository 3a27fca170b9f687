"""What a scraper asks for."""

from __future__ import annotations

import hmac
from typing import Any, Final

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from z4j_django import permissions
from z4j_django.conf import settings
from z4j_django.metrics import exposition, registry
from z4j_django.metrics.reading import Reading
from z4j_django.watch import on_demand

#: What metrics tell of: who may look at all of it may look at them.
SHOWN: Final = (
    "taskrecord",
    "workerrecord",
    "queuesample",
    "conditionrecord",
    "journalrecord",
    "journalloss",
)
_SCHEME: Final = "bearer "


@login_not_required  # a scraper is not to be sent to a form
@never_cache
@require_safe
def scrape(request: HttpRequest) -> HttpResponse:
    """All metrics, for who has the token of the settings, or may look at what they tell of.

    With neither a token in the settings nor a login nobody is let in.
    """
    if not (_has_token(request) or _may_look(request)):
        return _refusal(request)
    openmetrics = "application/openmetrics-text" in request.headers.get("Accept", "")
    reading = Reading(names_tasks=openmetrics and settings.METRICS_EXEMPLARS)
    text = exposition.text(registry.wanted(), reading, openmetrics=openmetrics)
    if reading.checked_at is None or abs(reading.now - reading.checked_at) > on_demand.STALE:
        on_demand.refresh_soon(reading.project)  # nobody else looks; the next scrape tells
    content_type = exposition.OPENMETRICS if openmetrics else exposition.PLAIN
    response = HttpResponse(text, content_type=content_type)
    patch_vary_headers(response, ["Accept", "Authorization", "Cookie"])
    return response


def _has_token(request: HttpRequest) -> bool:
    wanted: str | None = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "")
    if not wanted or given[: len(_SCHEME)].lower() != _SCHEME:
        return False
    token = given[len(_SCHEME) :].strip()
    return hmac.compare_digest(token.encode(errors="replace"), wanted.encode(errors="replace"))


def _may_look(request: HttpRequest) -> bool:
    user: Any = getattr(request, "user", None)
    return user is not None and all(permissions.can_view(user, model) for model in SHOWN)


def _refusal(request: HttpRequest) -> HttpResponse:
    """Says what is wanted, and nothing of the project."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        text = f"The permissions to look at all of these are wanted: {', '.join(SHOWN)}.\n"
        return HttpResponse(text, status=403, content_type="text/plain; charset=utf-8")
    response = HttpResponse(
        "A token is wanted, or a login.\n", status=401, content_type="text/plain; charset=utf-8"
    )
    response["WWW-Authenticate"] = 'Bearer realm="metrics"'
    return response
