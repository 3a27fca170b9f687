"""The strict policy that the pages of the admin have to work under."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'"
)
#: Swagger UI styles its elements inline.
_EXEMPT = "/z4j/api/docs/"


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Sends it with every page."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path.startswith(_EXEMPT):
            response["Content-Security-Policy"] = POLICY
        return response

    return respond
