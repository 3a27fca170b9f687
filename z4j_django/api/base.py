"""What every view shares, whatever the project's settings of Django REST framework say.

The project decides who someone is (``DEFAULT_AUTHENTICATION_CLASSES``) and how much they may ask
(``DEFAULT_THROTTLE_RATES``); all else is set here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Final, NoReturn
from urllib.parse import quote

from django.conf import settings as django_settings
from django.contrib.auth.models import AnonymousUser
from django.core.signals import got_request_exception
from django.db import DataError, connections, transaction
from django.http import HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.encoding import escape_uri_path
from django.utils.http import parse_etags, urlencode
from rest_framework.exceptions import AuthenticationFailed, NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.mediatypes import media_type_matches
from rest_framework.views import APIView

from z4j_django import logs, permissions, verbs
from z4j_django.api import (  # noqa: F401  # converters: so that every list of routes may use them
    converters,
    parsers,
    problems,
    rendering,
    throttling,
)
from z4j_django.api.endpoints import Endpoint
from z4j_django.conf import settings

logger = logs.logger("z4j_django.api")

SAFE: Final = ("GET", "HEAD")
#: A member that differs each time, and says nothing of what is on record.
_FLEETING: Final = "since"
#: As Django's ``reverse`` leaves them; without the slash.
_SAFE_IN_A_PART: Final = "!$&'()*+,;=~:@"
#: Stands for an id in an address that is made.
_MARK: Final = "z4j-id"
#: Answers differ by who asks, and in which form.
_VARY: Final = ("Accept", "Authorization", "Cookie")


def actor_of(request: Request) -> Any:
    """Who asks; a project may have its framework say None for nobody."""
    return request.user or AnonymousUser()


def missing(model: str) -> str:
    """What is told to whom the permission to view a model's records is missing."""
    return f"The permission {permissions.view_permission(model)} is missing."


def _lacks(verb: str) -> str:
    codename = verbs.codename(verb) if verb else ""
    return f"The permission {permissions.APP_LABEL}.{codename} is missing."


class Permitted(BasePermission):
    """Asks ``permissions``, as the admin and the operations do."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the view lets this actor do this; one that it can't do at all is told later."""
        if request.method not in view.allowed_methods:
            return True
        self.message = view.refuses(request)
        return self.message is None


class Negotiation(DefaultContentNegotiation):
    """By the ``Accept`` header alone."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The first renderer whose form the client takes.

        Raises:
            NotAcceptable: If it takes none.
        """
        accepted = self.get_accept_list(request)
        for renderer in renderers:
            try:
                if any(media_type_matches(renderer.media_type, one) for one in accepted):
                    return renderer, renderer.media_type
            except ValueError:  # a header that is too long to be one
                break
        raise NotAcceptable(available_renderers=renderers)


class View(APIView):
    """A view of this API.

    Attributes:
        reads: The model whose view permission a GET wants, in lower case; with its app's label
            and a dot before it where it is none of ours.
        also: A model whose view permission everybody needs besides, if any.
        looks: What of ``verbs.BESIDES`` a GET wants besides, if any.
        verb: The verb of ``permissions`` that a POST wants.
        endpoints: What it takes and answers, by method in lower case.
        asked: The parameters of the path and of the query, as the endpoint reads them.
    """

    reads: ClassVar[str] = ""
    also: ClassVar[str] = ""
    looks: ClassVar[str] = ""
    verb: ClassVar[str] = ""
    endpoints: ClassVar[Mapping[str, Endpoint]] = {}
    asked: dict[str, Any]

    http_method_names: ClassVar = ["get", "head", "post"]
    renderer_classes: ClassVar = [rendering.JSON]
    parser_classes: ClassVar = [parsers.JSONParser]
    permission_classes: ClassVar = [Permitted]
    throttle_classes: ClassVar = [throttling.Throttle]
    content_negotiation_class = Negotiation
    metadata_class = None
    versioning_class = None
    #: The generators of a project's own schema leave these views out.
    schema: Any = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """As Django asks; under ATOMIC_REQUESTS too no request is a transaction.

        An error afterwards would undo the trail of what was done; and an export reads on after
        the view has answered.
        """
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """See who asks, and for what."""
        super().initial(request, *args, **kwargs)
        if request.method in self.allowed_methods and self.endpoints:
            self.asked = {**kwargs, **self.endpoint.read(request.query_params)}

    @property
    def endpoint(self) -> Endpoint:
        """What this request asks for, as it is declared."""
        return self.endpoints["get" if self.request.method in SAFE else "post"]

    def refuses(self, request: Request) -> str | None:
        """Why whoever asks may not do this; None where they may."""
        actor = actor_of(request)
        if request.method in SAFE:
            if not self.reads or not permissions.can_view(actor, self.reads):
                return missing(self.reads)
            if self.looks and not permissions.can(actor, self.looks):
                return _lacks(self.looks)
        elif not self.verb or not permissions.can(actor, self.verb):
            return _lacks(self.verb)
        if self.also and not permissions.can_view(actor, self.also):
            return missing(self.also)
        return None

    def sees(self, model: str) -> bool:
        """Whether whoever asks may view a model's records."""
        return permissions.can_view(actor_of(self.request), model)

    def perform_authentication(self, request: Request) -> None:
        """Find out who asks; a name or token that PostgreSQL refuses to look up is nobody's."""
        try:
            super().perform_authentication(request)
        except (DataError, ValueError) as error:
            if "NUL" not in str(error):
                raise
            raise AuthenticationFailed from None

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: which methods there are is told to those who try another one."""
        return {}

    def handle_exception(self, exc: Exception) -> Any:
        """Every error as a problem; one that nobody expected is told to the log as well."""
        try:
            return super().handle_exception(exc)
        except Exception as error:
            return self._unexpected(error)

    def raise_uncaught_exception(self, exc: Exception) -> NoReturn:
        """As it is, without the framework's preparations for a page of Django's."""
        raise exc

    def get_exception_handler(self) -> Any:
        """Ours, not the project's."""
        return _told

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """The answer, rendered, with what caches go by; without a body where it is known."""
        try:
            final: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)
            if isinstance(final, Response):
                final.render()
        except Exception as error:
            final = self._unexpected(error)
        patch_vary_headers(final, _VARY)
        fresh = request.method in SAFE and final.status_code == 200
        final.headers.setdefault("Cache-Control", "private, no-cache" if fresh else "no-store")
        if fresh and isinstance(final, Response):
            return _conditional(request, final, final.data)
        return final

    def _unexpected(self, error: Exception) -> HttpResponse:
        if django_settings.DEBUG_PROPAGATE_EXCEPTIONS:
            raise error
        got_request_exception.send(sender=type(self), request=self.request._request)
        logger.error("The API failed at %s", self.request.path, exc_info=error)
        return problems.response(problems.unexpected())


def _told(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """The answer to an error; None where nobody expected it, which raises it once more."""
    problem = problems.of(error)
    if problem is None:
        return None
    if problem.status_code == 405:
        problem.headers["Allow"] = ", ".join(context["view"].allowed_methods)
    if problem.status_code >= 500:
        logger.error("The API can't answer: %s", problem.told, exc_info=error)
    return problems.response(problem)


def _conditional(request: Request, response: HttpResponse, data: Any) -> HttpResponse:
    """The answer with its ETag; 304 where the client has it."""
    lasting = response.content
    # What answers to a token has a new one to tell, though it tells nothing else.
    if isinstance(data, dict) and _FLEETING in data and _FLEETING not in request.query_params:
        lasting = rendering.encode({key: data[key] for key in data if key != _FLEETING})
    etag = f'W/"{hashlib.blake2b(lasting, digest_size=16).hexdigest()}"'
    response.headers["ETag"] = etag
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in known or etag.removeprefix("W/") in {one.removeprefix("W/") for one in known}:
        kept = ("ETag", "Cache-Control", "Vary")
        return HttpResponseNotModified(headers={name: response.headers[name] for name in kept})
    return response


def quoted(text: str) -> str:
    """An id or a name as one part of a path: a slash in it leads nowhere else."""
    return quote(text, safe=_SAFE_IN_A_PART)


def uri(request: Request, name: str, *args: Any, **query: Any) -> str:
    """The whole address of one of our routes.

    Args:
        request: Whose host, and whose mount of this API.
        name: The route's.
        *args: What stands in its path: numbers, and at most one id or name.
        **query: Parameters; those that are None or this project's name are left out.
    """
    match = request.resolver_match
    space = match.namespace if match is not None and match.namespace else "z4j_api"
    marks = [_MARK if isinstance(arg, str) else arg for arg in args]
    address = reverse(f"{space}:{name}", args=marks)
    for arg in args:
        if isinstance(arg, str):
            before, _, after = address.rpartition(_MARK)
            address = f"{before}{quoted(arg)}{after}"
    given = {
        key: value
        for key, value in query.items()
        if value is not None and not (key == "project" and value == settings.PROJECT)
    }
    return str(request.build_absolute_uri(f"{address}?{urlencode(given)}" if given else address))


def here(request: Request, **changed: Any) -> str:
    """The whole address of this request, with some parameters changed; None leaves one out."""
    query = request.query_params.copy()
    for name, value in changed.items():
        query.pop(name, None)
        if value is not None:
            query[name] = value
    path = escape_uri_path(request.path)
    return str(request.build_absolute_uri(f"{path}?{query.urlencode()}" if query else path))
