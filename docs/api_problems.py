"""What the API's schema says of problems (RFC 9457)."""

from __future__ import annotations

from typing import Any, Final

#: By status: a name for the response, and when it is the answer.
PROBLEMS: Final = {
    400: ("BadRequest", "Something in the request is wrong; `errors` says what, and where."),
    401: ("Unauthorized", "Nobody is signed in, or the token is not known."),
    403: ("Forbidden", "The permission is missing, or with the session's cookie the CSRF token."),
    404: ("NotFound", "There is none of this name or number on record."),
    406: ("NotAcceptable", "The `Accept` header names nothing that can be answered."),
    409: (
        "Refused",
        "Refused; `detail` says why. Where the refusal is on record, `operation` is its record "
        "and `instance` its address.",
    ),
    413: ("TooLarge", "The body is larger than 1 MiB."),
    415: ("UnsupportedMediaType", "The body is not JSON."),
    429: ("Throttled", "Too many requests; `Retry-After` says in how many seconds to try again."),
    503: (
        "Unavailable",
        "The database or the broker can't be used just now. What was begun before is on record.",
    ),
}


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", **more, "description": description}


def _whole(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "integer", **more, "description": description}


#: The components that they are made of.
COMPONENTS: Final[dict[str, dict[str, Any]]] = {
    "Mistake": {
        "type": "object",
        "description": "One thing that is wrong with a request.",
        "properties": {
            "name": _text(
                "The parameter, or the path of the member in the body; empty for all of it."
            ),
            "reason": _text("What is wrong, in words."),
            "term": _text("The term of a filter, as it was typed."),
            "position": _whole(
                "The column at which that term begins, counted from 1; 0 where it stands alone.",
                minimum=0,
            ),
            "expected": _text("What would have been right in its place."),
        },
        "required": ["name", "reason"],
    },
    "Problem": {
        "type": "object",
        "description": "An error; its media type is ``application/problem+json``.",
        "properties": {
            "type": _text(
                "Which kind of problem: `about:blank` where the status says it, or `urn:z4j:…`."
            ),
            "title": _text("The kind of problem in words; always the same."),
            "status": _whole("The HTTP status once more.", maximum=599, minimum=400),
            "detail": _text("What is wrong this time."),
            "instance": _text("The address of what tells more: the operation that was refused."),
            "operation": {
                "allOf": [{"$ref": "#/components/schemas/OperationDetail"}],
                "description": "That operation, where its refusal is on record.",
            },
            "errors": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/Mistake"},
                "description": "The single mistakes, where the request has some.",
            },
        },
        "required": ["detail", "status", "title", "type"],
    },
}
