"""Errors as problem details (RFC 9457): every answer that is none of success has this form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core import exceptions as core
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions as drf
from rest_framework.settings import api_settings

from z4j_django import exceptions, logs
from z4j_django.api import rendering

logger = logs.logger("z4j_django.api")

MEDIA_TYPE = "application/problem+json"
#: Of a problem that its status says all about.
BLANK = "about:blank"
#: Seconds after which to ask again where the database or the broker is away.
RETRY_AFTER = 5

#: Characters of a detail that sums up several mistakes.
_DETAIL = 2_000
#: Of statuses whose names differ between Python's releases.
_TITLES = {413: "Content Too Large"}


def title_of(status: int) -> str:
    """What HTTP calls ``status``."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


def urn(word: str) -> str:
    """The type of the problems that ``word`` stands for."""
    return f"urn:z4j:{word}"


class Problem(drf.APIException):
    """An error that says what it is.

    Args:
        status: The HTTP status.
        type: ``about:blank``, or what :func:`urn` makes.
        title: The same for every problem of this type.
        detail: What is wrong this time.
        **members: Further members of the document: ``errors``, ``instance``.
    """

    def __init__(self, status: int, type: str, title: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.status_code = status
        self.type = type
        self.title = title
        self.told = str(detail)
        self.members = members
        self.headers: dict[str, str] = {}

    def body(self) -> dict[str, Any]:
        """The document."""
        return {
            "type": self.type,
            "title": self.title,
            "status": self.status_code,
            "detail": self.told,
            **self.members,
        }


class NotFound(Problem):
    """There is no such thing, or none of this address."""

    def __init__(self, detail: str = "There is nothing at this address.") -> None:
        super().__init__(404, BLANK, title_of(404), detail)


class Invalid(Problem):
    """Parameters or members of the body that can't be.

    Args:
        errors: One for each mistake, with ``name`` and ``reason`` at least.
    """

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        named = [(str(one.get("name", "")), str(one["reason"])) for one in errors]
        detail = " ".join(f"{name}: {reason}" if name else reason for name, reason in named)
        given = [dict(one) for one in errors]
        super().__init__(
            400, urn("validation"), "The request is not valid.", detail[:_DETAIL], errors=given
        )


class WrongFilter(Problem):
    """A filter that can't be read.

    Args:
        errors: What is wrong, by the name of the parameter or member that says it.
    """

    def __init__(self, errors: Mapping[str, exceptions.FilterError]) -> None:
        told: list[dict[str, Any]] = [
            {
                "name": name,
                "reason": str(error),
                "term": error.term,
                "position": error.position,
                "expected": error.expected,
            }
            for name, error in errors.items()
        ]
        detail = " ".join(one["reason"] for one in told)[:_DETAIL]
        super().__init__(400, urn("filter"), "The filter can't be read.", detail, errors=told)
        self.terms = dict(errors)


class Refused(Problem):
    """What was asked for can't be done as things stand.

    Args:
        detail: Why.
        operation: The representation of the operation that says so on record, if there is one.
    """

    def __init__(self, detail: str, operation: Mapping[str, Any] | None = None) -> None:
        members: dict[str, Any] = {}
        if operation is not None:
            members = {"instance": operation["url"], "operation": dict(operation)}
        super().__init__(409, urn("refused"), "Refused", detail, **members)


class TooLarge(Problem):
    """The body is larger than any request of this API needs."""

    def __init__(self, detail: str) -> None:
        super().__init__(413, urn("too-large"), title_of(413), detail)


class Unavailable(Problem):
    """Something that is needed does not answer; the same request may do later."""

    def __init__(self, detail: str) -> None:
        super().__init__(503, urn("unavailable"), title_of(503), detail)
        self.headers["Retry-After"] = str(RETRY_AFTER)


def of(error: Exception) -> Problem | None:
    """The problem that ``error`` is; None for one that nobody expected."""
    problem = _of_ours(error) or _of_django(error)
    if problem is None and isinstance(error, drf.APIException):
        problem = _of_framework(error)
    return problem


def unexpected() -> Problem:
    """The problem of an error that nobody expected; it tells nothing of it."""
    detail = "The server failed to answer this request; its log says more."
    return Problem(500, BLANK, title_of(500), detail)


def response(problem: Problem) -> HttpResponse:
    """The answer that tells ``problem``, whatever media type the view else answers with."""
    return HttpResponse(
        rendering.encode(problem.body()),
        status=problem.status_code,
        content_type=MEDIA_TYPE,
        headers=problem.headers,
    )


def _of_ours(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    if isinstance(error, exceptions.FilterError):
        return WrongFilter({"q": error})
    if isinstance(error, exceptions.OptionsError):
        told = error.errors.items()
        return Invalid([{"name": name, "reason": reason} for name, reason in told])
    if isinstance(error, exceptions.OperationError):
        return Refused(str(error))
    if isinstance(error, exceptions.DiscoveryError):
        return Unavailable(str(error))
    return None


def _of_django(error: Exception) -> Problem | None:
    if isinstance(error, OperationalError | InterfaceError):
        return Unavailable("The database does not answer.")
    if isinstance(error, Http404):
        return NotFound()
    if isinstance(error, core.PermissionDenied):
        return Problem(403, BLANK, title_of(403), str(error) or "You may not do this.")
    if isinstance(error, core.RequestDataTooBig):
        return TooLarge("The request is larger than this server takes.")
    if isinstance(error, core.SuspiciousOperation | core.BadRequest):
        return Problem(400, BLANK, title_of(400), "The request can't be understood.")
    return None


def _of_framework(error: drf.APIException) -> Problem:
    if isinstance(error, drf.ValidationError):
        return Invalid(list(_mistakes(error.detail)))
    status = error.status_code
    title = title_of(status)
    kind = BLANK
    detail = str(error.detail)
    headers: dict[str, str] = {}
    if isinstance(error, drf.Throttled):
        kind = urn("throttled")
        seconds = max(1, math.ceil(error.wait or 1))
        headers["Retry-After"] = str(seconds)
        detail = f"Too many requests; ask again in {seconds} s."
    problem = Problem(status, kind, title, detail)
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    problem.headers = headers
    return problem


def _mistakes(detail: Any, name: str = "") -> Iterator[dict[str, str]]:
    """The leaves of what a serializer complains about, each with its path."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            own = "" if key == api_settings.NON_FIELD_ERRORS_KEY else str(key)
            yield from _mistakes(value, ".".join(part for part in (name, own) if part))
    elif isinstance(detail, list | tuple):
        for number, value in enumerate(detail):
            nested = isinstance(value, Mapping | list | tuple)
            yield from _mistakes(value, f"{name}.{number}" if nested and name else name)
    else:
        yield {"name": name, "reason": str(detail)}
