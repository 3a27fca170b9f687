"""The OpenAPI document, and a page that shows it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.middleware.csrf import get_token
from django.urls import path
from drf_spectacular import renderers as documents
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from rest_framework import exceptions, renderers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, document, openapi

_SIDECAR = "drf_spectacular_sidecar"


class SchemaView(base.View):
    """``schema/``: there is nothing in it of what is on record, so whoever is known may read it."""

    permission_classes: ClassVar = [IsAuthenticated]
    renderer_classes: ClassVar = [
        documents.OpenApiJsonRenderer2,
        documents.OpenApiJsonRenderer,
        documents.OpenApiYamlRenderer2,
        documents.OpenApiYamlRenderer,
    ]

    @openapi.operation(
        "schema_retrieve",
        tag="schema",
        summary="This description",
        description=(
            "The OpenAPI document of these routes, as JSON or, by the `Accept` header, as YAML. "
            "Whoever is signed in may read it."
        ),
        responses={200: OpenApiResponse(OpenApiTypes.OBJECT, "The document.")},
        examples=[
            openapi.example(
                "The document, cut",
                {
                    "openapi": "3.0.3",
                    "info": {"title": "z4j", "version": "0.1.0"},
                    "paths": {"/tasks/": {"get": {"operationId": "tasks_list"}}},
                },
            )
        ],
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        """The document, with the address at which these routes are mounted."""
        base.known_parameters(request, ())
        return Response(document.at(request.path.removesuffix("schema/")))


class DocsView(base.View):
    """``docs/``: the schema in a browser, without a script or a style from anywhere else."""

    schema = None  # type: ignore[assignment]  # as Django REST framework has it: none is made
    permission_classes: ClassVar = [IsAuthenticated]
    renderer_classes: ClassVar = [renderers.TemplateHTMLRenderer]

    def get(self, request: Request, **kwargs: Any) -> Response:
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
