"""The schema of the API: whole, true to its own examples, and what the package ships."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.contrib.auth.models import User
from django.http import HttpResponse
from drf_spectacular.validation import validate_schema
from rest_framework.test import APIRequestFactory, force_authenticate

from z4j_django.api.endpoints import ALWAYS, TAGS
from z4j_django.api.views import schema as views

DOCS = Path(__file__).parents[2] / "docs"
sys.path.append(str(DOCS))
import api_links  # noqa: E402
import api_reference  # noqa: E402
import api_schema  # noqa: E402

#: Whatever Flower 2 answers to, but its pages.
FLOWER = {
    "/api/workers",
    "/api/worker/shutdown",
    "/api/worker/pool/restart",
    "/api/worker/pool/grow",
    "/api/worker/pool/shrink",
    "/api/worker/pool/autoscale",
    "/api/worker/queue/add-consumer",
    "/api/worker/queue/cancel-consumer",
    "/api/tasks",
    "/api/task/types",
    "/api/queues/length",
    "/api/task/info",
    "/api/task/apply",
    "/api/task/async-apply",
    "/api/task/send-task",
    "/api/task/result",
    "/api/task/abort",
    "/api/task/timeout",
    "/api/task/rate-limit",
    "/api/task/revoke",
    "/metrics",
    "/healthcheck",
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return api_schema.build()


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for methods in schema["paths"].values()
        for operation in methods.values()
    }


def at(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The component that a part refers to, or itself."""
    for name in part.get("$ref", "").split("/")[1:]:
        schema = schema[name]
    return schema if "$ref" in part else part


def bodies(
    schema: dict[str, Any], operation: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each body that an operation takes or gives, with what it is for."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "request", content
    for status, response in operation["responses"].items():
        for content in at(schema, response).get("content", {}).values():
            yield status, content


def test_it_is_openapi(schema):
    validate_schema(schema)


def test_the_package_ships_it(schema):
    shipped = views.DOCUMENT.read_text()
    assert shipped == api_schema.written(schema), "Run `make api-schema`."


def test_every_operation_says_what_it_does_and_what_may_go_wrong(schema):
    for name, operation in operations(schema).items():
        assert operation["summary"], name
        assert not operation["summary"].endswith("."), name
        assert operation["description"].endswith("."), name
        assert operation["tags"][0] in TAGS, name
        assert {str(status) for status in ALWAYS} <= operation["responses"].keys(), name
        for parameter in operation["parameters"]:
            assert at(schema, parameter)["description"], (name, parameter)


def test_no_two_operations_have_one_name(schema):
    methods = [one for methods in schema["paths"].values() for one in methods]

    assert len(operations(schema)) == len(methods)


def test_every_body_has_an_example(schema):
    for name, operation in operations(schema).items():
        shown = {place for place, content in bodies(schema, operation) if content.get("examples")}
        assert shown == {place for place, _ in bodies(schema, operation)}, name


def test_every_example_is_valid(schema):
    for name, operation in operations(schema).items():
        for place, content in bodies(schema, operation):
            for title, example in content.get("examples", {}).items():
                try:
                    check(schema, content["schema"], example["value"])
                except jsonschema.ValidationError as error:
                    pytest.fail(f"{name}, {place}, {title}: {error.message} at {error.json_path}")


def test_every_member_says_what_it_is(schema):
    for name, component in schema["components"]["schemas"].items():
        for member, told in component.get("properties", {}).items():
            assert told.get("description"), f"{name}.{member}"


def test_links_lead_to_operations_and_give_them_what_they_want(schema):
    found = operations(schema)
    followed = 0
    for operation in found.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                target = found[link["operationId"]]
                given = [at(schema, one) for one in target["parameters"]]
                wanted = {one["name"] for one in given if one["in"] == "path"}
                assert link["parameters"].keys() == wanted
                followed += 1
    assert followed > len(api_links.LINKS)


def get(view: Any, path: str, signed_in: bool = True, **headers: str) -> HttpResponse:
    request = APIRequestFactory().get(path, **headers)
    if signed_in:
        force_authenticate(request, User(pk=1, username="anyone"))
    response: HttpResponse = view.as_view()(request)
    return response


@pytest.mark.parametrize(
    ("root", "server"), [("/z4j/api/", "/z4j/api"), ("/", "/"), ("/at/acme/", "/at/acme")]
)
def test_whoever_is_signed_in_may_read_it(schema, root, server):
    response = get(views.SchemaView, f"{root}schema/")

    assert response.status_code == 200
    assert json.loads(response.content) == {**schema, "servers": [{"url": server}]}


def test_nobody_else_may():
    response = get(views.SchemaView, "/records/schema/", signed_in=False)

    assert response.status_code in (401, 403)
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/vnd.oai.openapi+json",
        "application/yaml",
        "application/vnd.oai.openapi",
    ],
)
def test_it_is_json_which_is_yaml_too(kind):
    response = get(views.SchemaView, "/schema/", HTTP_ACCEPT=kind)

    assert response.headers["Content-Type"] == kind
    assert yaml.safe_load(response.content) == json.loads(response.content)


class Page(HTMLParser):
    """What a page loads, and what it has in itself."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self._inside = ""
        self.text = response.content.decode()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._inside = tag
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag in ("script", "link", "img", "iframe"):
            self.loaded.append(given.get("src") or given.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.inline.append(data)


def test_the_page_has_no_script_in_itself_and_asks_no_other_host():
    response = get(views.DocsView, "/z4j/api/docs/", HTTP_ACCEPT="text/html")
    page = Page(response)

    assert response.status_code == 200
    assert page.inline == []
    loaded = [address for address in page.loaded if address != "data:,"]
    assert len(loaded) == 4
    assert all(address.startswith("/static/") for address in loaded)


def test_the_page_says_what_to_install(monkeypatch):
    monkeypatch.setattr("django.apps.apps.is_installed", lambda name: name != views._SIDECAR)

    page = Page(get(views.DocsView, "/z4j/api/docs/"))

    assert "drf_spectacular_sidecar" in page.text
    assert not any("sidecar" in address for address in page.loaded)


def test_the_page_asks_who_is_not_signed_in_to_do_so(settings):
    settings.LOGIN_URL = "/enter/"

    response = get(views.DocsView, "/z4j/api/docs/", signed_in=False)

    assert response.status_code in (401, 403)
    assert 'href="/enter/?next=/z4j/api/docs/"' in response.content.decode()


def test_the_reference_is_what_the_schema_says(schema):
    written = (DOCS / "reference" / "api.md").read_text()
    assert written == api_reference.page(schema), "Run `make api-schema`."


def test_what_is_there_for_flowers_users_exists(schema):
    guide = (DOCS / "how-to" / "from-flower.md").read_text()
    ours = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path.removeprefix("/")))
        for path, methods in schema["paths"].items()
        for method in methods
    }

    named = re.findall(r"`(GET|POST) ([a-z][^`]*)`", guide)
    wanted = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in named}

    assert len(wanted) > 15
    assert wanted <= ours


def test_the_guide_leaves_out_nothing_of_flower():
    guide = (DOCS / "how-to" / "from-flower.md").read_text()
    named = set(re.findall(r"`(?:GET|POST) (/[^`?{]*)", guide))

    assert {path.rstrip("/") for path in named} == FLOWER


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """See that a value is what OpenAPI 3.0 says it is."""
    whole = {**plain(schema), "components": plain(document["components"])}
    jsonschema.validate(value, whole, cls=jsonschema.Draft4Validator)


def plain(schema: Any) -> Any:
    """The same in JSON schema's words: what may be null there is one of two types."""
    if isinstance(schema, list):
        return [plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: plain(one) for name, one in schema.items()}
    if found.pop("nullable", False) is True:
        return {"anyOf": [found, {"type": "null"}]}
    return found
