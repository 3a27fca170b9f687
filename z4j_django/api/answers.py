"""The problems that a request may be answered with, as the schema describes them."""

from __future__ import annotations

from typing import Final

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from z4j_django.api import problems as forms

#: What any request may be answered with.
ALWAYS: Final = (400, 401, 403, 406, 429, 503)
#: And one that has a body.
BODY: Final = (413, 415)

_PROBLEMS: Final = {
    400: (
        "Something in the request is wrong; `errors` says what, and where.",
        {
            "type": "urn:z4j:filter",
            "title": "The filter can't be read.",
            "status": 400,
            "detail": 'At 15, "runtime:>5x": expected a length of time, such as 500ms or 5s.',
            "errors": [
                {
                    "name": "q",
                    "reason": "expected a length of time, such as 500ms or 5s",
                    "term": "runtime:>5x",
                    "position": 15,
                    "expected": "a length of time, such as 500ms or 5s",
                }
            ],
        },
    ),
    401: (
        "Nobody is signed in, or the token is not known.",
        {
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "Authentication credentials were not provided.",
        },
    ),
    403: (
        "The permission is missing, or with the session's cookie the CSRF token.",
        {
            "type": "about:blank",
            "title": "Forbidden",
            "status": 403,
            "detail": "You do not have permission to perform this action.",
        },
    ),
    404: (
        "There is none of this name or number on record.",
        {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "No task has this id.",
        },
    ),
    406: (
        "The `Accept` header names nothing that can be answered.",
        {
            "type": "about:blank",
            "title": "Not Acceptable",
            "status": 406,
            "detail": "Could not satisfy the request Accept header.",
        },
    ),
    409: (
        "Refused; `detail` says why. Where the refusal is on record, `operation` is its record "
        "and `instance` its address.",
        {
            "type": "urn:z4j:refused",
            "title": "Refused",
            "status": 409,
            "detail": "It is SUCCESS, so there is nothing to cancel.",
        },
    ),
    413: (
        "The body is larger than 1 MiB.",
        {
            "type": "urn:z4j:too-large",
            "title": "Content Too Large",
            "status": 413,
            "detail": "A body may have 1048576 bytes.",
        },
    ),
    415: (
        "The body is not JSON.",
        {
            "type": "about:blank",
            "title": "Unsupported Media Type",
            "status": 415,
            "detail": 'Unsupported media type "text/plain" in request.',
        },
    ),
    429: (
        "Too many requests; `Retry-After` says in how many seconds to try again.",
        {
            "type": "urn:z4j:throttled",
            "title": "Too Many Requests",
            "status": 429,
            "detail": "Request was throttled. Expected available in 7 seconds.",
        },
    ),
    503: (
        "The database or the broker can't be used just now. What was begun before is on record.",
        {
            "type": "urn:z4j:unavailable",
            "title": "Service Unavailable",
            "status": 503,
            "detail": "The database does not answer.",
        },
    ),
}


def _problem(status: int) -> OpenApiResponse:
    description, value = _PROBLEMS[status]
    shown = OpenApiExample(str(value["title"]), value=value, media_type=forms.MEDIA_TYPE)
    return OpenApiResponse(forms.SCHEMA, description=description, examples=[shown])


#: Each problem's response, by status.
PROBLEMS: Final = {status: _problem(status) for status in _PROBLEMS}


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """The problems that every operation has, and those of ``statuses``."""
    wanted = sorted({*ALWAYS, *statuses})
    return {(status, forms.MEDIA_TYPE): PROBLEMS[status] for status in wanted}
