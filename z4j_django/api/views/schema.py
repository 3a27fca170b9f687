"""The OpenAPI document, and a page that shows it."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Final

from django.apps import apps
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.middleware.csrf import get_token
from django.urls import path
from rest_framework import exceptions, renderers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, rendering
from z4j_django.api.endpoints import Endpoint

#: The same in every project.
DOCUMENT: Final = Path(__file__).parents[1] / "openapi.json"

_SIDECAR: Final = "drf_spectacular_sidecar"


class _Document(rendering.JSON):
    """JSON, which is YAML as well."""


def _as(media_type: str) -> type[_Document]:
    return type("_Document", (_Document,), {"media_type": media_type})


class SchemaView(base.View):
    """``schema/``: there is nothing in it of what is on record, so whoever is known may read it."""

    permission_classes: ClassVar = [IsAuthenticated]
    renderer_classes: ClassVar = [
        _as("application/json"),
        _as("application/vnd.oai.openapi+json"),
        _as("application/yaml"),
        _as("application/vnd.oai.openapi"),
    ]
    endpoints: ClassVar = {
        "get": Endpoint(
            "schema_retrieve",
            "This description",
            "The OpenAPI document of these routes, as JSON; JSON is YAML, too, and by the `Accept` "
            "header called so. Whoever is signed in may read it.",
            answer={"type": "object", "additionalProperties": {}, "description": "The document."},
            media_types=tuple(one.media_type for one in renderer_classes),
        )
    }

    def get(self, request: Request) -> Response:
        """The document, with the address at which these routes are mounted."""
        root = request.path.removesuffix("schema/").rstrip("/") or "/"
        return Response({**document(), "servers": [{"url": root}]})


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The document, as ``make api-schema`` has written it. Not to be changed."""
    found: dict[str, Any] = json.loads(DOCUMENT.read_bytes())
    return found


class DocsView(base.View):
    """``docs/``: the schema in a browser, without a script or a style from anywhere else."""

    permission_classes: ClassVar = [IsAuthenticated]
    renderer_classes: ClassVar = [renderers.TemplateHTMLRenderer]

    def get(self, request: Request) -> Response:
        """Swagger UI, or what has to be installed for it."""
        if not apps.is_installed(_SIDECAR):
            return self._page("no sidecar")
        header = settings.CSRF_HEADER_NAME.removeprefix("HTTP_").replace("_", "-")
        return self._page("docs", csrf_header=header, csrf_token=get_token(request))

    def handle_exception(self, exc: Exception) -> Any:
        """A page for people asks them to sign in; what else went wrong is a problem as ever."""
        problem = super().handle_exception(exc)
        if not isinstance(exc, exceptions.NotAuthenticated):
            return problem
        where = redirect_to_login(self.request.get_full_path()).url
        page = self._page("anonymous", status=problem.status_code, login_url=where)
        if challenge := problem.headers.get("WWW-Authenticate"):
            page.headers["WWW-Authenticate"] = challenge
        return page

    def _page(self, page: str, status: int = 200, **context: Any) -> Response:
        context["page"] = page
        return Response(context, status=status, template_name="z4j_django/api/docs.html")


urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
]
